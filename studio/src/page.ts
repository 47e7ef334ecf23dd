// The page: one WebSocket to the session that printed its address, or a recording inside the page.

import { mount } from "./mount";
import { recordingLink } from "./recording";
import { socketLink } from "./socket";
import { keepInAddress } from "./url_state";

const element = document.getElementById("studio")!;
element.classList.add("whole");
const recording = document.getElementById("recording");
const link = recording ? recordingLink(recording.textContent ?? "") : socketLink();
const { store } = mount(element, link);
if (!recording) keepInAddress(store);
