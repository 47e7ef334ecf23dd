// Written by scripts/studio_tokens.py from cutaway/story/design.py: change it there.
export type Rgb = [number, number, number];

export const LIGHT = {
  paper: [255, 255, 255] as Rgb,
  ink: [28, 36, 48] as Rgb,
  soft: [86, 97, 112] as Rgb,
  line: [217, 222, 229] as Rgb,
  positive: [43, 123, 186] as Rgb,
  negative: [217, 95, 14] as Rgb,
};

export const LIGHT_HUES: Rgb[] = [
  [43, 123, 186],
  [217, 95, 14],
  [0, 104, 75],
  [11, 163, 176],
  [100, 50, 161],
  [191, 42, 107],
  [81, 61, 0],
  [38, 51, 68],
];

export const DARK = {
  paper: [20, 25, 31] as Rgb,
  ink: [230, 234, 240] as Rgb,
  soft: [154, 166, 181] as Rgb,
  line: [55, 65, 78] as Rgb,
  positive: [109, 179, 232] as Rgb,
  negative: [236, 129, 60] as Rgb,
};

export const DARK_HUES: Rgb[] = [
  [109, 179, 232],
  [236, 129, 60],
  [114, 224, 181],
  [14, 156, 169],
  [149, 103, 217],
  [200, 52, 114],
  [223, 183, 78],
  [206, 222, 244],
];
