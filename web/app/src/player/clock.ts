/**
 * Spans of time for the timeline.
 */

/** Minutes and seconds, with hours where there are some: "1:05", "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** How far behind, in few characters. */
export function behindText(seconds: number): string {
  if (seconds < 1) return "< 1 s";
  return seconds < 60 ? `${Math.round(seconds)} s` : clock(seconds);
}
