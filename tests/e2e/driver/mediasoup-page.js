/**
 * What a page of somebody else's would do with the stock mediasoup-client and our `/channels`: nothing in
 * here knows more than the library's documentation and the message names.
 */
import { Device } from "mediasoup-client";

/** Requests and their replies, in order; everything that comes unasked is kept by type. */
class Socket {
  constructor(url, protocols = []) {
    this.socket = new WebSocket(url, protocols);
    this.pending = new Map();
    this.heard = [];
    this.counter = 0;
    this.channelId = null;
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error("the socket failed"));
    });
    this.socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  #take(message) {
    this.channelId ??= message.channelId ?? null;
    const waiting = this.pending.get(message.id);
    if (!waiting) {
      this.heard.push({ type: message.type, data: message.data });
      return;
    }
    if (message.type === "error") {
      this.pending.delete(message.id);
      waiting.reject(new Error(`${message.data.code}: ${message.data.detail}`));
    } else {
      waiting.replies.push(message.data);
      if (waiting.replies.length >= waiting.count) {
        this.pending.delete(message.id);
        waiting.resolve(waiting.count === 1 ? waiting.replies[0] : waiting.replies);
      }
    }
  }

  async request(type, fields = {}, count = 1) {
    await this.opened;
    const id = ++this.counter;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, replies: [], count });
      this.socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }

  events(type) {
    return this.heard.filter((message) => message.type === type).map((message) => message.data);
  }
}

async function loaded(url, protocols) {
  const socket = new Socket(url, protocols);
  const device = await Device.factory();
  await device.load({ routerRtpCapabilities: await socket.request("getRouterRtpCapabilities") });
  return { socket, device };
}

const ms = {
  producers: {},
  consumers: {},

  async broadcast(url, protocols = []) {
    const { socket, device } = await loaded(url, protocols);
    const options = await socket.request("createProducerTransport");
    const transport = device.createSendTransport(options);
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      socket.request("connectProducerTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    transport.on("produce", ({ kind, rtpParameters, appData }, done, failed) => {
      socket.request("produce", { transportId: transport.id, kind, rtpParameters, appData }).then(done, failed);
    });
    transport.on("producedata", ({ sctpStreamParameters, label, protocol }, done, failed) => {
      socket
        .request("produceData", { transportId: transport.id, sctpStreamParameters, label, protocol })
        .then(done, failed);
    });
    Object.assign(this, { socket, device, transport });
    return socket.channelId;
  },

  async produce(number, { tone = 440, simulcast = true, width = 640, height = 360, codec, layers } = {}) {
    this.stream = kit.markerStream(number, { tone, width, height });
    const [track] = this.stream.getAudioTracks();
    this.producers.audio = await this.transport.produce({ track });
    await this.produceVideo({ simulcast, codec });
    if (layers) await this.producers.video.setMaxSpatialLayer(layers - 1);
    return { audio: this.producers.audio.id, video: this.producers.video.id };
  },

  async produceVideo({ simulcast = true, codec } = {}) {
    const track = this.stream.getVideoTracks()[0].clone();
    const encodings = simulcast
      ? [
          { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: "L1T3" },
          { scaleResolutionDownBy: 2, maxBitrate: 400_000, scalabilityMode: "L1T3" },
          { scaleResolutionDownBy: 1, maxBitrate: 900_000, scalabilityMode: "L1T3" },
        ]
      : undefined;
    const { codecs } = this.device.sendRtpCapabilities;
    const wanted = codec && codecs.find((each) => each.mimeType.toLowerCase() === codec);
    this.producers.video = await this.transport.produce({ track, encodings, codec: wanted });
    return this.producers.video.id;
  },

  async watch(url, protocols = []) {
    const { socket, device } = await loaded(url, protocols);
    const options = await socket.request("createConsumerTransport");
    const transport = device.createRecvTransport(options);
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      socket.request("connectConsumerTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    Object.assign(this, { socket, device, transport });
    return socket.channelId;
  },

  async consume(count = 2) {
    const { rtpCapabilities } = this.device;
    const found = await this.socket.request("consume", { transportId: this.transport.id, rtpCapabilities }, count);
    for (const options of [found].flat()) await this.play(options);
    return [found].flat();
  },

  async consumeOne(producerId) {
    const { rtpCapabilities } = this.device;
    const transportId = this.transport.id;
    await this.play(await this.socket.request("consume", { transportId, producerId, rtpCapabilities }));
  },

  /** Plays a track in the one element of the page. */
  async play(options) {
    const consumer = await this.transport.consume(options);
    this.consumers[consumer.kind] = consumer;
    consumer.described = options;
    await this.socket.request("resume", { consumerId: consumer.id });
    if (!this.element) {
      this.element = document.createElement("video");
      this.element.autoplay = true;
      document.body.append(this.element);
    }
    const tracks = Object.values(this.consumers).filter((each) => !each.closed);
    this.element.srcObject = new MediaStream(tracks.map((each) => each.track));
    await this.element.play().catch(() => undefined);
  },

  async closeProducer(kind) {
    const producer = this.producers[kind];
    producer.close();
    await this.socket.request("closeProducer", { producerId: producer.id });
  },

  async prefer(spatialLayer, temporalLayer) {
    const consumerId = this.consumers.video.id;
    return this.socket.request("setPreferredLayers", { consumerId, spatialLayer, temporalLayer });
  },

  async restart() {
    const { iceParameters } = await this.socket.request("restartIce", { transportId: this.transport.id });
    await this.transport.restartIce({ iceParameters });
    return iceParameters.usernameFragment;
  },

  async openData(label) {
    const producer = await this.transport.produceData({ label, ordered: true });
    if (producer.readyState !== "open") await new Promise((resolve) => producer.on("open", resolve));
    this.data = producer;
    return producer.id;
  },

  /** A viewer's own transport to send on, for data alone. */
  async talk(label) {
    const options = await this.socket.request("createProducerTransport", { dataOnly: true });
    const transport = (this.talking = this.device.createSendTransport(options));
    const { socket } = this;
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      socket.request("connectProducerTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    transport.on("producedata", ({ sctpStreamParameters, label: name, protocol }, done, failed) => {
      socket
        .request("produceData", { transportId: transport.id, sctpStreamParameters, label: name, protocol })
        .then(done, failed);
    });
    const producer = await transport.produceData({ label, ordered: true });
    if (producer.readyState !== "open") await new Promise((resolve) => producer.on("open", resolve));
    this.said = producer;
    return producer.id;
  },

  /** A broadcaster's own transport to receive on. */
  async listen() {
    const options = await this.socket.request("createConsumerTransport");
    const transport = (this.transport = this.device.createRecvTransport(options));
    transport.on("connect", ({ dtlsParameters }, done, failed) => {
      this.socket.request("connectConsumerTransport", { transportId: transport.id, dtlsParameters }).then(done, failed);
    });
    return this.takeData();
  },

  async takeData() {
    const options = await this.socket.request("consumeData", { transportId: this.transport.id });
    const consumer = await this.transport.consumeData(options);
    this.messages = [];
    consumer.on("message", (message) => this.messages.push(message));
    this.data = consumer;
    if (consumer.readyState !== "open") await new Promise((resolve) => consumer.on("open", resolve));
    return options;
  },

  async inbound(kind) {
    return kit.inbound(this.consumers[kind].track, this.consumers[kind].rtpReceiver);
  },
};

globalThis.ms = ms;
