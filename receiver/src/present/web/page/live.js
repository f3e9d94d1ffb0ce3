// The socket, the state of things, and keys.
(() => {
  const state = document.getElementById('state');
  const RETRY = 2000;
  let fresh = true;

  function say(text, kind = '') {
    state.textContent = text;
    state.className = kind;
  }

  function session(it) {
    if (!it) return say('waiting for a sender');
    const fps = +it.fps.toFixed(2);
    say(`receiving ${it.width}\u00d7${it.height} at ${fps} frames a second`, 'live');
    document.title = `raq-recv: ${it.width}\u00d7${it.height}`;
  }

  function connect() {
    const socket = new WebSocket(`ws://${location.host}/live${location.search}`);
    socket.binaryType = 'arraybuffer';
    let opened = false;
    socket.onopen = () => {
      opened = true;
      plots.begin();
    };
    socket.onmessage = ({data}) => {
      if (typeof data !== 'string') {
        painter.draw(data);
        // The next but one may come.
        socket.send('drawn');
        return;
      }
      const news = JSON.parse(data);
      if (news.figures?.length) plots.add(news.figures);
      if ('session' in news) session(news.session);
    };
    socket.onclose = () => {
      if (opened || fresh) say('raq-recv has ended, or takes no more browsers', 'gone');
      fresh = false;
      setTimeout(connect, RETRY);
    };
  }

  function save() {
    painter.canvas.toBlob(blob => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = `raq-${new Date().toISOString().replace(/[:.]/g, '-')}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), RETRY);
    });
  }

  function fullScreen() {
    const figure = painter.canvas.parentElement;
    const done = document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen?.();
    // Not every browser may.
    done?.catch(() => {});
  }

  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'f') fullScreen();
    if (event.key === 's') save();
  });
  painter.canvas.addEventListener('dblclick', fullScreen);
  connect();
})();
