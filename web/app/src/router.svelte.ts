/**
 * The pages: `/`, `/m/{meeting}`, `/studio/{channel}` (`/studio` makes one) and `/watch/{channel}`. A token comes in the fragment, which no server ever sees; it is
 * taken out of the address bar at once, so that it is neither shared by copying the address nor
 * visible while the screen is, and kept for this tab.
 */

import { parseMeetingLink, parseToken } from "./start/meetingLink";

type NamedPage = "meeting" | "studio" | "watch";
export type Route =
  | { readonly page: "start" | "new-channel" | "unknown" }
  | { readonly page: NamedPage; readonly id: string };

let current = $state.raw<Route>(read());

export const router = {
  get route(): Route {
    return current;
  },
};

/** Goes to another page of the app. */
export function go(path: string): void {
  history.pushState(null, "", path);
  current = read();
}

/** The token for a meeting or channel that came with its link. */
export function tokenFor(id: string): string | undefined {
  return sessionStorage.getItem(tokenKey(id)) ?? undefined;
}

export function keepToken(id: string, token: string): void {
  sessionStorage.setItem(tokenKey(id), token);
}

/** The token that the link to this meeting carries, where one is needed: who starts it can invite. */
export function invitationFor(meetingId: string): string | undefined {
  return sessionStorage.getItem(invitationKey(meetingId)) ?? undefined;
}

export function keepInvitation(meetingId: string, token: string): void {
  sessionStorage.setItem(invitationKey(meetingId), token);
}

function read(): Route {
  const { pathname, hash, search } = location;
  if (pathname === "/") return { page: "start" };
  if (pathname === "/studio") return { page: "new-channel" };
  const named = readNamed(pathname);
  if (!named) return { page: "unknown" };
  const token = parseToken(hash);
  if (token) {
    sessionStorage.setItem(tokenKey(named.id), token);
    history.replaceState(null, "", pathname + search);
  }
  return named;
}

function readNamed(pathname: string): { readonly page: NamedPage; readonly id: string } | null {
  const [, page, id] = /^\/(studio|watch)\/([^/]+)\/?$/.exec(pathname) ?? [];
  if (page && id) return { page: page as NamedPage, id: decodeURIComponent(id) };
  const meeting = pathname.startsWith("/m/") ? parseMeetingLink(pathname) : null;
  return meeting && { page: "meeting", id: meeting.id };
}

function invitationKey(meetingId: string): string {
  return `headwater.invitation.${meetingId}`;
}

function tokenKey(meetingId: string): string {
  return `headwater.token.${meetingId}`;
}

addEventListener("popstate", () => (current = read()));
addEventListener("hashchange", () => (current = read()));
