/**
 * Two pages: `/` and `/m/{meeting}`. A token comes in the fragment, which no server ever sees; it is
 * taken out of the address bar at once, so that it is neither shared by copying the address nor
 * visible while the screen is, and kept for this tab.
 */

import { parseMeetingLink, parseToken } from "./start/meetingLink";

export type Route = { readonly page: "start" } | { readonly page: "meeting"; readonly id: string } | { readonly page: "unknown" };

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

export function tokenFor(meetingId: string): string | undefined {
  return sessionStorage.getItem(tokenKey(meetingId)) ?? undefined;
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
  const meeting = pathname.startsWith("/m/") ? parseMeetingLink(pathname) : null;
  if (!meeting) return { page: "unknown" };
  const token = parseToken(hash);
  if (token) {
    sessionStorage.setItem(tokenKey(meeting.id), token);
    history.replaceState(null, "", pathname + search);
  }
  return { page: "meeting", id: meeting.id };
}

function invitationKey(meetingId: string): string {
  return `headwater.invitation.${meetingId}`;
}

function tokenKey(meetingId: string): string {
  return `headwater.token.${meetingId}`;
}

addEventListener("popstate", () => (current = read()));
addEventListener("hashchange", () => (current = read()));
