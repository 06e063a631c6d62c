/** A page of somebody else's on the stock whip-whep library; it knows no more than the library's README. */
import { WHEPClient } from "whip-whep/whep.js";
import { WHIPClient } from "whip-whep/whip.js";

const state = { client: null, pc: null };

window.stock = {
  state,
  async send(url, number, media) {
    state.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    for (const track of window.kit.markerStream(number, media).getTracks()) {
      state.pc.addTransceiver(track, { direction: "sendonly" });
    }
    state.client = new WHIPClient();
    await state.client.publish(state.pc, url, null);
  },
  async watch(url) {
    state.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    state.pc.addTransceiver("audio", { direction: "recvonly" });
    state.pc.addTransceiver("video", { direction: "recvonly" });
    state.pc.addEventListener("track", ({ track }) => (state[track.kind] = track));
    state.client = new WHEPClient();
    await state.client.view(state.pc, url, null);
  },
  stop: () => state.client.stop(),
};
