'use strict';

// Planes of samples onto the canvas.
const painter = (() => {
  const canvas = document.getElementById('picture');
  const context = canvas.getContext('2d', {alpha: false});
  const HEADER = 12, FULL_RANGE = 1, BT709 = 2;
  let image = null;
  let native = typeof VideoFrame === 'function';

  // The browser's own conversion. Primaries and transfer are those of the screen: only the matrix
  // is undone.
  function drawNative(bytes, width, height, flags) {
    const half = [(width + 1) >> 1, (height + 1) >> 1], luma = width * height;
    const frame = new VideoFrame(bytes, {
      format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0,
      layout: [
        {offset: 0, stride: width},
        {offset: luma, stride: half[0]},
        {offset: luma + half[0] * half[1], stride: half[0]},
      ],
      colorSpace: {
        matrix: flags & BT709 ? 'bt709' : 'smpte170m', primaries: 'bt709',
        transfer: 'iec61966-2-1', fullRange: Boolean(flags & FULL_RANGE),
      },
    });
    context.drawImage(frame, 0, 0);
    frame.close();
  }

  // The same sample by sample, for browsers that cannot.
  function drawPlain(bytes, width, height, flags) {
    if (!image || image.width !== width || image.height !== height) {
      image = context.createImageData(width, height);
    }
    const pixels = image.data, stride = (width + 1) >> 1, luma = width * height;
    const v = luma + stride * ((height + 1) >> 1);
    const [kr, kb] = flags & BT709 ? [0.2126, 0.0722] : [0.299, 0.114];
    const full = flags & FULL_RANGE;
    const black = full ? 0 : 16, gain = full ? 1 : 255 / 219, colour = full ? 1 : 255 / 224;
    const red = 2 * (1 - kr) * colour, blue = 2 * (1 - kb) * colour;
    const greenRed = red * kr / (1 - kr - kb), greenBlue = blue * kb / (1 - kr - kb);
    for (let y = 0, at = 0; y < height; y++) {
      const row = (y >> 1) * stride;
      for (let x = 0; x < width; x++, at += 4) {
        const light = (bytes[y * width + x] - black) * gain;
        const cb = bytes[luma + row + (x >> 1)] - 128, cr = bytes[v + row + (x >> 1)] - 128;
        pixels[at] = light + red * cr;
        pixels[at + 1] = light - greenRed * cr - greenBlue * cb;
        pixels[at + 2] = light + blue * cb;
        pixels[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  return {
    canvas,
    draw(message) {
      const header = new DataView(message);
      const width = header.getUint16(4, true), height = header.getUint16(6, true);
      const flags = header.getUint8(8), bytes = new Uint8Array(message, HEADER);
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
      }
      if (native) {
        try {
          return drawNative(bytes, width, height, flags);
        } catch {
          native = false;
        }
      }
      drawPlain(bytes, width, height, flags);
    },
  };
})();
