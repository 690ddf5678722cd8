"""The beginning of a script that measures contrast: WCAG's relative luminance of colours that lie on each other."""

LUMINANCE = """
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const pixel = (layers) => {
    context.clearRect(0, 0, 1, 1);
    for (const color of layers) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
"""
