/**
 * Where tiles go. Pure arithmetic over a stage of a given size, so that it can be tested.
 *
 * Grid: the number of columns that makes the tiles largest, each tile's shape free between portrait
 * and wide so that the stage is filled rather than letterboxed; a last row that is not full stands in
 * the middle. Duo: the other person fills the stage, oneself sits in a corner. Spotlight: one tile
 * large, the others in a strip beside it (wide stage) or in a grid below (tall stage).
 */

export type Size = { readonly width: number; readonly height: number };
export type Rect = Size & { readonly x: number; readonly y: number };

export type GridOptions = {
  readonly gap: number;
  /** Narrowest and widest shape of a tile, width / height. */
  readonly minAspect: number;
  readonly maxAspect: number;
};

export const gridOptions: GridOptions = { gap: 12, minAspect: 0.8, maxAspect: 16 / 9 };

/** Rectangles for `count` equal tiles. */
export function grid(count: number, stage: Size, options: GridOptions = gridOptions): Rect[] {
  if (count < 1 || stage.width <= 0 || stage.height <= 0) return [];
  const { columns, tile } = bestColumns(count, stage, options);
  const rows = Math.ceil(count / columns);
  const top = (stage.height - rows * tile.height - (rows - 1) * options.gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (stage.width - inRow * tile.width - (inRow - 1) * options.gap) / 2;
    return {
      x: left + (index % columns) * (tile.width + options.gap),
      y: top + row * (tile.height + options.gap),
      ...tile,
    };
  });
}

function bestColumns(count: number, stage: Size, options: GridOptions): { readonly columns: number; readonly tile: Size } {
  let best = { columns: 1, tile: fit(count, 1, stage, options) };
  for (let columns = 2; columns <= count; columns += 1) {
    const tile = fit(count, columns, stage, options);
    if (tile.width * tile.height > best.tile.width * best.tile.height) best = { columns, tile };
  }
  return best;
}

/** The largest allowed tile when `count` tiles stand in `columns` columns. */
function fit(count: number, columns: number, stage: Size, { gap, minAspect, maxAspect }: GridOptions): Size {
  const rows = Math.ceil(count / columns);
  const width = Math.max(0, (stage.width - (columns - 1) * gap) / columns);
  const height = Math.max(0, (stage.height - (rows - 1) * gap) / rows);
  if (width > height * maxAspect) return { width: height * maxAspect, height };
  if (width < height * minAspect) return { width, height: width / minAspect };
  return { width, height };
}

/** Two people: [the other, oneself]. */
export function duo(stage: Size, gap: number = gridOptions.gap): readonly [Rect, Rect] {
  const tall = stage.height > stage.width;
  const [other] = grid(1, stage, { gap, minAspect: tall ? 0.45 : 1, maxAspect: 2 });
  const main = other ?? { x: 0, y: 0, ...stage };
  const width = clamp(stage.width * (tall ? 0.3 : 0.2), 96, 260);
  const height = tall ? width * (4 / 3) : width * (9 / 16);
  const self = {
    width,
    height,
    x: main.x + main.width - width - gap,
    y: main.y + main.height - height - gap,
  };
  return [main, self];
}

export type Spotlight = {
  readonly main: Rect;
  readonly strip: readonly Rect[];
};

/** One large tile and as many of `others` in a strip as have room there. */
export function spotlight(others: number, stage: Size, gap: number = gridOptions.gap): Spotlight {
  if (others < 1) return { main: { x: 0, y: 0, ...stage }, strip: [] };
  return stage.width >= stage.height * 1.15 ? stripBeside(others, stage, gap) : gridBelow(others, stage, gap);
}

function stripBeside(others: number, stage: Size, gap: number): Spotlight {
  const width = clamp(stage.width * 0.18, 120, 240);
  const shown = howMany(others, stage.height, 72, gap);
  const height = Math.min(width * (9 / 16), (stage.height - (shown - 1) * gap) / shown);
  const top = (stage.height - shown * height - (shown - 1) * gap) / 2;
  const x = stage.width - width;
  return {
    main: { x: 0, y: 0, width: stage.width - width - gap, height: stage.height },
    strip: Array.from({ length: shown }, (_, index) => ({ x, y: top + index * (height + gap), width, height })),
  };
}

/** Screens are wide: on a tall stage they leave most of it to the people, who stand below in a grid. */
function gridBelow(others: number, stage: Size, gap: number): Spotlight {
  const main = { x: 0, y: 0, width: stage.width, height: Math.min(stage.height * 0.6, stage.width * 0.66) };
  const rest = { width: stage.width, height: stage.height - main.height - gap };
  const shown = Math.min(others, gridCapacity(rest, 104, 88));
  // One or two people must not look larger than what is shown to them.
  const height = shown <= 2 ? Math.min(rest.height, main.height * 0.75) : rest.height;
  const strip = grid(shown, { width: rest.width, height }, { gap, minAspect: 1, maxAspect: 16 / 9 });
  return { main, strip: strip.map((rect) => ({ ...rect, y: rect.y + main.height + gap })) };
}

/** How many of `others` have room along a strip of this length. */
function howMany(others: number, length: number, smallestSide: number, gap: number): number {
  return Math.min(others, Math.max(1, Math.floor((length + gap) / (smallestSide + gap))));
}

/** How many tiles a grid can show before faces become too small to read. */
export function gridCapacity(stage: Size, minWidth = 150, minHeight = 110): number {
  const columns = Math.max(1, Math.floor(stage.width / minWidth));
  const rows = Math.max(1, Math.floor(stage.height / minHeight));
  return Math.min(49, columns * rows);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
