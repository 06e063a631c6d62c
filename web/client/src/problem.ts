/**
 * Problem documents (RFC 9457): what the server says when it refuses.
 */

import type { Problem } from "./generated/signaling";

/** The body of a failed request, where it is a problem document; something like one where it is not. */
export async function readProblem(response: Response): Promise<Problem> {
  const fallback: Problem = { type: "about:blank", title: response.statusText, status: response.status };
  try {
    const body: unknown = await response.json();
    return body !== null && typeof body === "object" ? { ...fallback, ...body, status: response.status } : fallback;
  } catch {
    return fallback;
  }
}
