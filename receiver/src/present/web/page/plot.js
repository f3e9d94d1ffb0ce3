// Plots of the last two minutes.
const plots = (() => {
  const SPAN = 120000, PERIOD = 500, MARGIN = {left: 34, right: 4, top: 6, bottom: 16};
  const percent = value => 100 * value;
  const definitions = [
    {title: 'Bitrate', unit: 'kbit/s', lines: [
      {name: 'received', of: it => it.kbps},
      {name: 'path', of: it => it.estimate_kbps},
    ]},
    {title: 'Frames shown', unit: 'per second', lines: [{of: it => it.fps}], digits: 1},
    {title: 'Codebook size K\u0303', unit: 'codewords', powers: true, lines: [
      {name: 'median', of: it => it.codewords?.[1]},
      {name: 'least', of: it => it.codewords?.[0]},
    ]},
    {title: 'Quality level', unit: 'of 96', lines: [{of: it => it.level}], most: 96},
    {title: 'Delay', unit: 'ms', least: 20, digits: 1, lines: [
      {name: 'above least', of: it => it.delay_ms},
      {name: 'RTT', of: it => it.rtt_ms},
    ]},
    {title: 'Decoding', unit: 'ms a frame', lines: [{of: it => it.decode_ms}], digits: 1},
    {title: 'Loss', unit: '%', least: 1, digits: 1, lines: [{of: it => it.loss, from: percent}]},
    {title: 'Concealed', unit: '%', least: 1, digits: 1, lines: [{of: it => it.concealed, from: percent}]},
  ];
  const COLOURS = ['--one', '--two'];
  const figures = [];
  let pointed = null;
  let style = null;

  const colour = name => {
    style ??= getComputedStyle(document.documentElement);
    return style.getPropertyValue(name).trim();
  };
  const value = (line, it) => {
    const found = line.of(it);
    return found == null ? null : line.from ? line.from(found) : found;
  };

  function element(tag, parent, text) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  const all = definitions.map(definition => {
    const card = element('div', document.getElementById('plots'));
    card.className = 'plot';
    const title = element('h2', card, definition.title);
    element('small', title, ' ' + definition.unit);
    const output = element('output', card);
    const canvas = element('canvas', card);
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', definition.title);
    canvas.addEventListener('pointermove', event => {
      pointed = (event.offsetX - MARGIN.left) / (canvas.clientWidth - MARGIN.left - MARGIN.right);
      draw();
    });
    canvas.addEventListener('pointerleave', () => {
      pointed = null;
      draw();
    });
    return {...definition, output, canvas};
  });

  // A round number above the greatest value.
  function ceiling(plot) {
    if (plot.most) return plot.most;
    let greatest = plot.least ?? 1;
    for (const it of figures) {
      for (const line of plot.lines) greatest = Math.max(greatest, value(line, it) ?? 0);
    }
    if (plot.powers) return 2 ** Math.ceil(Math.log2(greatest));
    const step = 10 ** Math.floor(Math.log10(greatest));
    return [1, 1.5, 2, 3, 4, 6, 8, 10].find(times => times * step >= greatest) * step;
  }

  function tell(plot, it) {
    plot.output.replaceChildren();
    plot.lines.forEach((line, number) => {
      const found = it && value(line, it);
      const text = found == null ? '\u2013' : found.toFixed(found < 100 ? plot.digits ?? 0 : 0);
      const figure = element('span', plot.output);
      if (plot.lines.length > 1) element('i', figure).style.background = colour(COLOURS[number]);
      figure.append(text);
      if (line.name) element('small', figure, ' ' + line.name);
    });
  }

  function paint(plot, end) {
    const {canvas} = plot, ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const top = ceiling(plot);
    const bottom = height - MARGIN.bottom, left = MARGIN.left, right = width - MARGIN.right;
    const x = time => right - (end - time) / SPAN * (right - left);
    const share = found => plot.powers ? Math.log2(Math.max(found, 1)) / Math.log2(top) : found / top;
    const y = found => bottom - Math.min(share(found), 1) * (bottom - MARGIN.top);

    context.font = '10px system-ui, sans-serif';
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    context.lineWidth = 1;
    const marks = plot.powers ? [1, 2 ** Math.round(Math.log2(top) / 2), top] : [0, top / 2, top];
    for (const mark of marks) {
      const level = Math.round(y(mark)) + 0.5;
      context.strokeStyle = colour('--grid');
      context.beginPath();
      context.moveTo(left, level);
      context.lineTo(right, level);
      context.stroke();
      context.fillStyle = colour('--faint');
      context.fillText(String(+mark.toPrecision(4)), left - 5, level);
    }

    context.textBaseline = 'alphabetic';
    for (const [minutes, align, text] of [[2, 'left', '\u22122 min'], [1, 'center', '\u22121 min'], [0, 'right', 'now']]) {
      context.textAlign = align;
      context.fillText(text, x(end - 60000 * minutes), height - 3);
    }

    context.lineWidth = 1.6;
    context.lineJoin = 'round';
    plot.lines.forEach((line, number) => {
      context.strokeStyle = context.fillStyle = colour(COLOURS[number]);
      // Where figures are missing, so is the line.
      let runs = [], run = null, before = -Infinity;
      for (const it of figures) {
        const found = value(line, it);
        if (found == null || it.unix_ms - before > 4 * PERIOD) run = null;
        before = it.unix_ms;
        if (found == null || x(it.unix_ms) < left - 4) continue;
        if (!run) runs.push(run = []);
        run.push([Math.max(x(it.unix_ms), left), y(found)]);
      }
      for (const points of runs) {
        const path = new Path2D();
        points.forEach(([px, py], at) => at ? path.lineTo(px, py) : path.moveTo(px, py));
        if (number === 0) {
          const area = new Path2D(path);
          area.lineTo(points.at(-1)[0], bottom);
          area.lineTo(points[0][0], bottom);
          context.globalAlpha = 0.12;
          context.fill(area);
          context.globalAlpha = 1;
        }
        context.stroke(path);
        if (points.length === 1) context.fillRect(points[0][0] - 1, points[0][1] - 1, 2, 2);
      }
    });

    if (pointed == null) return tell(plot, figures.at(-1));
    const time = end - (1 - Math.min(Math.max(pointed, 0), 1)) * SPAN;
    const near = figures.reduce((best, it) =>
      !best || Math.abs(it.unix_ms - time) < Math.abs(best.unix_ms - time) ? it : best, null);
    if (near) {
      context.strokeStyle = colour('--faint');
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x(near.unix_ms), MARGIN.top);
      context.lineTo(x(near.unix_ms), bottom);
      context.stroke();
    }
    tell(plot, near);
  }

  function draw() {
    const end = figures.length ? figures.at(-1).unix_ms : 0;
    for (const plot of all) paint(plot, end);
  }

  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    style = null;
    draw();
  });
  draw();

  return {
    // Figures of a page that has lost its connection are sent again.
    begin() {
      figures.length = 0;
    },
    add(more) {
      figures.push(...more);
      const first = figures.findIndex(it => it.unix_ms > figures.at(-1).unix_ms - SPAN - 2000);
      if (first > 0) figures.splice(0, first);
      draw();
    },
  };
})();
