/**
 * How far behind a WebRTC picture is, from the browser's statistics: half of the way there and back, and how
 * long pictures waited in the jitter buffer since the last look.
 */

/** What was counted at the last look. */
export type DelaySample = { readonly delay: number; readonly emitted: number };

export type LiveDelay = { readonly behind: number | null; readonly sample: DelaySample | null };

/** Seconds behind; unknown before a picture or sound has come. */
export function liveDelay(report: Iterable<readonly [string, unknown]>, before: DelaySample | null): LiveDelay {
  const rows = [...report].map(([, row]) => row as Row);
  const received = rows.filter(({ type, jitterBufferEmittedCount }) => type === "inbound-rtp" && jitterBufferEmittedCount);
  const row = received.find(({ kind }) => kind === "video") ?? received[0];
  if (!row) return { behind: null, sample: before };
  const sample = { delay: row.jitterBufferDelay ?? 0, emitted: row.jitterBufferEmittedCount ?? 0 };
  const since = before && sample.emitted > before.emitted ? before : { delay: 0, emitted: 0 };
  const waited = (sample.delay - since.delay) / (sample.emitted - since.emitted);
  const path = rows.find(({ type, nominated, currentRoundTripTime }) => type === "candidate-pair" && nominated && currentRoundTripTime);
  return { behind: waited + (path?.currentRoundTripTime ?? 0) / 2, sample };
}

type Row = {
  readonly type: string;
  readonly kind?: string;
  readonly jitterBufferDelay?: number;
  readonly jitterBufferEmittedCount?: number;
  readonly currentRoundTripTime?: number;
  readonly nominated?: boolean;
};
