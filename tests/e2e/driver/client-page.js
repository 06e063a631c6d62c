/**
 * A bare page on @headwater/client, without the app: `call` joins, publishes and shows what comes.
 * Loaded as a module from the origin under test.
 */
import { Client } from "/__e2e/headwater-client.js";

const messages = [];
const channels = [];
const sending = new Map();
let room = null;

/** Finds a received track by the sender's name, or by protocol ("whip") where nobody chose a name. */
function subscriber(name, kind, source) {
  return [...room.subscribers.values()].find((each) => {
    const participant = room.participants.get(each.participantId);
    const sender = participant?.protocol === "webrtc" ? participant.name : participant?.protocol;
    return each.kind === kind && sender === name && (!source || each.source === source);
  });
}

window.call = {
  async join(meeting, name, token = null) {
    room = await new Client().join(meeting, { name, ...(token ? { token } : {}) });
    window.room = room;
    room.on("data", (channel) => {
      channels.push(channel);
      channel.on("message", (data) => messages.push({ label: channel.label, data }));
    });
    return room.participantId;
  },

  /** Publishes a marker and a tone of our own making. */
  async publish(number, { codec = undefined, ...media } = {}) {
    const stream = kit.markerStream(number, media);
    const [video] = stream.getVideoTracks();
    const [audio] = stream.getAudioTracks();
    sending.set("camera", await room.publish(video, { source: "camera", preferredCodec: codec }));
    if (audio) sending.set("microphone", await room.publish(audio, { source: "microphone" }));
  },

  publisher: (source) => sending.get(source),
  subscriber,
  video: (name, source) => {
    const found = subscriber(name, "video", source);
    return found ? kit.probe(found.track) : null;
  },
  audio: (name) => subscriber(name, "audio")?.track ?? null,

  /** The inbound-rtp row of a person's track, with its codec. */
  async inbound(name, kind) {
    const track = subscriber(name, kind)?.track;
    return track ? kit.inbound(track) : null;
  },

  async openData(label, options) {
    const channel = await room.publishData(label, options);
    if (!channel.open) await new Promise((resolve) => channel.on("open", resolve));
    sending.set(label, channel);
  },
  sendData: (label, data) => sending.get(label).send(data),
  messages: (label) => messages.filter((each) => each.label === label).map(({ data }) => data),
  leave: () => room.leave(),
};
