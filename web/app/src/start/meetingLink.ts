/**
 * What people paste into "Join a meeting": a whole link, its end, or the id alone.
 */

export type MeetingLink = {
  readonly id: string;
  /** From `#token=…`; never from the query, which ends up in logs. */
  readonly token: string | undefined;
};

const idPattern = /^[\w.~-]{1,128}$/;

/** `null` when there is no meeting in the text. */
export function parseMeetingLink(text: string): MeetingLink | null {
  const [address = "", fragment = ""] = split(text.trim(), "#");
  const [path = ""] = split(address, "?");
  const afterM = /(?:^|\/)m\/([^/]+)\/?$/.exec(path)?.[1];
  // Without /m/ only a bare id counts: an address of something else is not a meeting.
  const id = decode(afterM ?? (path.includes("/") ? "" : path));
  return id !== null && idPattern.test(id) ? { id, token: parseToken(fragment) } : null;
}

/** The page of a meeting. */
export function meetingPath({ id, token }: { readonly id: string; readonly token?: string | undefined }): string {
  const path = `/m/${encodeURIComponent(id)}`;
  return token ? `${path}#token=${encodeURIComponent(token)}` : path;
}

export function parseToken(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("token") || undefined;
}

function split(text: string, separator: string): readonly string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
