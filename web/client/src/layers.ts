/**
 * Layers: which of a track's pictures we get, and why. Spatial 0 is the smallest picture, temporal 0
 * the lowest frame rate. What one asks for is a ceiling; the network may give less.
 */

import type { Decision as WireDecision, Layer, LayerChanged, SetLayers, WhyAnswer } from "./generated/signaling";

export type { Layer } from "./generated/signaling";
export type LayerReason = LayerChanged["reason"];

/** What one would like to receive of a track; what is absent is no wish. */
export type LayerWish = {
  readonly spatial?: number;
  readonly temporal?: number;
  /** Of the picture's place on the screen, in device pixels. */
  readonly width?: number;
  readonly height?: number;
  readonly maxFps?: number;
  /** 1 to 255 against the other tracks when the line is thin; 128 where nothing is said. */
  readonly priority?: number;
};

export type LayerChange = {
  readonly from: Layer | null;
  /** `null` while the line is too thin for any picture. */
  readonly to: Layer | null;
  readonly reason: LayerReason;
  /** What the connection was believed to carry then, in bit/s. */
  readonly estimate: number | null;
};

/** Something that the server decided about a received track. */
export type Decision = {
  readonly agoMs: number;
  readonly kind: DecisionKind;
  /** On what grounds, by name; the server's `docs/reference/decisions.md` has those of each kind. */
  readonly facts: Readonly<Record<string, number | string>>;
};
export type DecisionKind = WireDecision["kind"];

/** The server's account of a received track. */
export type Explanation = {
  readonly preferred: Layer | null;
  readonly target: Layer | null;
  readonly current: Layer | null;
  readonly paused: boolean;
  readonly codec: string | null;
  readonly layers: readonly {
    readonly layer: Layer;
    /** bit/s, with all layers below it. */
    readonly bitrate: number;
    readonly width: number | null;
    readonly height: number | null;
    readonly fps: number | null;
  }[];
  /** What the whole connection is believed to carry, in bit/s. */
  readonly estimate: number | null;
  /** Newest first. */
  readonly decisions: readonly Decision[];
};

export function toLayerChange({ from, to, reason, estimate }: Pick<LayerChanged, "from" | "to" | "reason" | "estimate">): LayerChange {
  return { from: from ?? null, to: to ?? null, reason, estimate: estimate ?? null };
}

export function toExplanation(answer: WhyAnswer): Explanation {
  return {
    preferred: answer.preferred ?? null,
    target: answer.target ?? null,
    current: answer.current ?? null,
    paused: answer.paused ?? false,
    codec: answer.codec ?? null,
    layers: (answer.layers ?? []).map(({ spatial, temporal, bitrate, width, height, fps }) => ({
      layer: { spatial, temporal },
      bitrate,
      width: width ?? null,
      height: height ?? null,
      fps: fps ?? null,
    })),
    estimate: answer.estimate ?? null,
    decisions: (answer.decisions ?? []).map(({ ago_ms: agoMs, kind, facts }) => ({ agoMs, kind, facts: facts ?? {} })),
  };
}

export function toSetLayers(publisherId: string, { maxFps, ...wish }: LayerWish): Omit<SetLayers, "id"> {
  return { type: "set_layers", publisher_id: publisherId, ...wish, ...(maxFps === undefined ? {} : { max_fps: maxFps }) };
}
