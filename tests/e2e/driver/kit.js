/**
 * Injected into every page before its own scripts: `window.kit`.
 *
 * A *marker* is a picture that carries an 8-bit number: 4 x 3 cells of light and dark fill the upper
 * 7/8, cell 0 is white, cell 11 black (they give the threshold), cells 1-8 the number, high bit
 * first, cells 9-10 the count of its ones modulo 4. A block runs along the lower 1/8, so that two
 * readings tell a live picture from a frozen one. tests/support/markers.py draws the same.
 *
 * The kit also remembers every RTCPeerConnection and WebSocket of the page; it changes nothing else.
 */
(() => {
  const COLUMNS = 4;
  const ROWS = 3;
  const STEPS = 16;
  const pcs = [];
  const channels = [];
  const sockets = [];
  const sources = [];
  const probes = new Map();

  const NativePeerConnection = window.RTCPeerConnection;
  if (NativePeerConnection) {
    window.RTCPeerConnection = class RTCPeerConnection extends NativePeerConnection {
      constructor(...args) {
        super(...args);
        pcs.push(this);
        this.addEventListener("datachannel", ({ channel }) => channels.push(channel));
      }
    };
  }

  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class WebSocket extends NativeWebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };

  function cells(number) {
    const ones = [...number.toString(2)].filter((bit) => bit === "1").length % 4;
    const bits = [1];
    for (let bit = 7; bit >= 0; bit -= 1) bits.push((number >> bit) & 1);
    bits.push(ones >> 1, ones & 1, 0);
    return bits;
  }

  function drawMarker(context, number, step) {
    const { width, height } = context.canvas;
    const cellWidth = width / COLUMNS;
    const cellHeight = (height * 7) / 8 / ROWS;
    cells(number).forEach((bit, index) => {
      context.fillStyle = bit ? "#fff" : "#000";
      context.fillRect((index % COLUMNS) * cellWidth, Math.floor(index / COLUMNS) * cellHeight, cellWidth, cellHeight);
    });
    context.fillStyle = "#000";
    context.fillRect(0, (height * 7) / 8, width, height / 8);
    context.fillStyle = "#fff";
    context.fillRect((step * width) / STEPS, (height * 7) / 8, width / STEPS, height / 8);
  }

  /**
   * Reads a marker from a video element, or from a region of it (left, top, width, height; parts of the whole):
   * `{number, step}`, or null when there is none.
   */
  function readMarker(video, [left, top, wide, high] = [0, 0, 1, 1]) {
    if (!video || video.videoWidth === 0 || video.readyState < 2) return null;
    const width = 160;
    const height = 96;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const { videoWidth, videoHeight } = video;
    context.drawImage(video, left * videoWidth, top * videoHeight, wide * videoWidth, high * videoHeight, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height).data;
    const light = (left, top, right, bottom) => {
      let sum = 0;
      let count = 0;
      for (let y = Math.floor(top); y < bottom; y += 1) {
        for (let x = Math.floor(left); x < right; x += 1) {
          const at = (y * width + x) * 4;
          sum += pixels[at] + pixels[at + 1] + pixels[at + 2];
          count += 3;
        }
      }
      return sum / count;
    };
    const cellWidth = width / COLUMNS;
    const cellHeight = (height * 7) / 8 / ROWS;
    const levels = Array.from({ length: COLUMNS * ROWS }, (_, index) => {
      const left = (index % COLUMNS) * cellWidth;
      const top = Math.floor(index / COLUMNS) * cellHeight;
      return light(left + cellWidth / 4, top + cellHeight / 4, left + (cellWidth * 3) / 4, top + (cellHeight * 3) / 4);
    });
    if (levels[0] - levels[11] < 60) return null;
    const middle = (levels[0] + levels[11]) / 2;
    const bits = levels.map((level) => (level > middle ? 1 : 0));
    const number = bits.slice(1, 9).reduce((value, bit) => value * 2 + bit, 0);
    if (cells(number).join("") !== bits.join("")) return null;
    const strip = Array.from({ length: STEPS }, (_, step) =>
      light((step * width) / STEPS, (height * 29) / 32, ((step + 1) * width) / STEPS, (height * 31) / 32),
    );
    return { number, step: strip.indexOf(Math.max(...strip)) };
  }

  /**
   * A stream of our own making: a live marker and, if asked, a tone of this loudness (the amplitude,
   * 0 to 1; `setLoudness` changes it). In words it comes and goes as speech does: a tone that stays is
   * taken for noise after some seconds.
   */
  function markerStream(number, { width = 640, height = 360, rate = 15, tone = 0, loudness = 0.5, words = false } = {}) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    let step = 0;
    const paint = () => drawMarker(context, number, (step += 1) % STEPS);
    paint();
    const timer = setInterval(paint, 1000 / rate);
    const stream = canvas.captureStream(rate);
    sources.push({ canvas, timer, stream });
    if (tone) {
      const audio = new AudioContext();
      const oscillator = audio.createOscillator();
      const gain = audio.createGain();
      const out = audio.createMediaStreamDestination();
      oscillator.frequency.value = tone;
      gain.gain.value = loudness;
      oscillator.connect(words ? speaking(audio, gain) : gain);
      gain.connect(out);
      oscillator.start();
      stream.addTrack(out.stream.getAudioTracks()[0]);
      sources.push({ audio, oscillator, gain });
    }
    return stream;
  }

  /** A gate before `next`: open for 200 ms, closed for 200 ms. */
  function speaking(audio, next) {
    const gate = audio.createGain();
    const depth = audio.createGain();
    const rhythm = audio.createOscillator();
    gate.gain.value = depth.gain.value = 0.5;
    rhythm.type = "square";
    rhythm.frequency.value = 2.5;
    rhythm.connect(depth).connect(gate.gain);
    rhythm.start();
    gate.connect(next);
    sources.push({ audio, rhythm });
    return gate;
  }

  function setLoudness(loudness) {
    for (const { gain } of sources) if (gain) gain.gain.value = loudness;
  }

  /** A playing element for a received track, one per track. */
  function probe(track) {
    let element = probes.get(track.id);
    if (!element) {
      element = document.createElement(track.kind);
      element.autoplay = true;
      element.playsInline = true;
      element.muted = track.kind === "video";
      element.srcObject = new MediaStream([track]);
      element.style.cssText = "width:160px;height:90px";
      document.body.append(element);
      void element.play().catch(() => undefined);
      probes.set(track.id, element);
    }
    return element;
  }

  /** Loudest frequency and level of an audio track over `ms`, by WebAudio. */
  async function listen(track, ms = 500) {
    probe(track);
    const audio = new AudioContext();
    try {
      await audio.resume();
      const analyser = audio.createAnalyser();
      analyser.fftSize = 4096;
      analyser.smoothingTimeConstant = 0;
      audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      const wave = new Float32Array(analyser.fftSize);
      const bins = new Float32Array(analyser.frequencyBinCount);
      let best = { level: 0, frequency: 0 };
      const end = performance.now() + ms;
      while (performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        analyser.getFloatTimeDomainData(wave);
        analyser.getFloatFrequencyData(bins);
        const level = Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length);
        const peak = bins.indexOf(Math.max(...bins));
        if (level > best.level) best = { level, frequency: (peak * audio.sampleRate) / analyser.fftSize };
      }
      return best;
    } finally {
      await audio.close();
    }
  }

  /** Everything getStats knows, of every live connection of the page, with codecs resolved. */
  async function stats() {
    const found = [];
    for (const [index, pc] of pcs.entries()) {
      if (pc.connectionState === "closed") continue;
      const report = await pc.getStats();
      const rows = [];
      report.forEach((row) => {
        const codec = row.codecId ? report.get(row.codecId) : null;
        rows.push({ ...row, ...(codec ? { mimeType: codec.mimeType, fmtp: codec.sdpFmtpLine } : {}) });
      });
      found.push({ index, state: pc.connectionState, ice: pc.iceConnectionState, signaling: pc.signalingState, rows });
    }
    return found;
  }

  /** The inbound-rtp row of one received track. */
  async function inbound(track) {
    for (const pc of pcs) {
      const receiver = pc.getReceivers().find((each) => each.track === track);
      if (!receiver) continue;
      const report = await receiver.getStats();
      for (const row of report.values()) {
        if (row.type === "inbound-rtp") return { ...row, mimeType: report.get(row.codecId)?.mimeType };
      }
    }
    return null;
  }

  async function rows(type, filter = {}) {
    const all = (await stats()).flatMap((pc) => pc.rows.map((row) => ({ ...row, pc: pc.index })));
    return all.filter((row) => row.type === type && Object.entries(filter).every(([key, value]) => row[key] === value));
  }

  window.kit = { pcs, channels, sockets, drawMarker, readMarker, markerStream, setLoudness, probe, listen, stats, inbound, rows, state: {} };
})();
