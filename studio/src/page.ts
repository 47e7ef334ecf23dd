// The page: one WebSocket to the session that printed its address, or a recording inside the page.

import { mount } from "./mount";
import { recordingLink } from "./recording";
import { socketLink } from "./socket";

const element = document.getElementById("studio")!;
const recording = document.getElementById("recording");
mount(element, recording ? recordingLink(recording.textContent ?? "") : socketLink());
