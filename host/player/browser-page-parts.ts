/** How the page looks. */
export const STYLE = `
body { margin: 0; background: #111; color: #eee; font: 1rem/1.5 system-ui, sans-serif; }
video { display: block; width: 100%; height: calc(100vh - 4rem); background: #000; }
div { height: 4rem; padding: 0 1rem; display: flex; align-items: center; gap: 1rem; }
button { font: inherit; padding: 0.25rem 1rem; }
`;

export const BODY =
  '<video controls></video>' +
  '<div><button hidden>Play</button><span role="status">This page needs JavaScript.</span></div>';

/**
 * What the page does. It takes the stream only while it plays, as what is taken is paid. What is not a transport stream
 * it leaves to the browser.
 */
export const SCRIPT = `
'use strict';
const MAX_STANDSTILL = 5000;
const UNPLAYABLE = 'This browser cannot play what comes. Open the address in a player, such as VLC. ' +
  'Browsers play H.264 with AAC or MP3.';
const video = document.querySelector('video');
const button = document.querySelector('button');
const line = document.querySelector('span');
let player;
let hasEnded = false;
let movedAt = 0;

function say(text) {
  if (line.textContent !== text) line.textContent = text;
}

function start() {
  hasEnded = false;
  movedAt = performance.now();
  button.hidden = true;
  say('Waiting for the stream.');
  player = mpegts.createPlayer(
    { type: 'mpegts', isLive: true, url: location.origin + location.pathname + '?stream' },
    { enableStashBuffer: false, autoCleanupSourceBuffer: true, liveSync: true },
  );
  player.on(mpegts.Events.ERROR, (type, detail, info) => {
    if (detail === mpegts.ErrorDetails.MEDIA_FORMAT_UNSUPPORTED) return location.replace('?stream');
    if (type === mpegts.ErrorTypes.MEDIA_ERROR) return stop(UNPLAYABLE);
    if (info?.code === 503) return stop('There are too many players already; close one, then play.');
    stop('The stream does not come (' + detail + '). See what tollcast watch says, then play.');
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => (hasEnded = true));
  player.attachMediaElement(video);
  player.load();
  play();
}

function stop(text) {
  const stopped = player;
  player = undefined;
  stopped?.destroy();
  button.hidden = false;
  say(text);
}

async function play() {
  try {
    await video.play();
  } catch (error) {
    // Without a click browsers play no sound.
    if (error.name !== 'NotAllowedError' || video.muted) return;
    video.muted = true;
    play();
  }
}

function checkProgress() {
  if (player === undefined || performance.now() - movedAt < MAX_STANDSTILL) return;
  if (hasEnded) stop('The stream has ended.');
  else say('The stream does not come. See what tollcast watch says where it runs.');
}

function begin() {
  if (!window.mpegts?.isSupported()) {
    say('This browser cannot play the stream. Open the address in a player, such as VLC.');
    return;
  }
  video.addEventListener('timeupdate', () => {
    if (player === undefined || video.paused) return;
    movedAt = performance.now();
    say(video.muted ? 'Playing without sound; the loudspeaker turns it on.' : 'Playing.');
  });
  video.addEventListener('error', () => {
    if (player !== undefined) stop(UNPLAYABLE);
  });
  video.addEventListener('ended', () => stop('The stream has ended.'));
  video.addEventListener('pause', () => {
    if (player === undefined || video.ended) return;
    stop(video.error === null ? 'Paused: nothing more is taken or paid.' : UNPLAYABLE);
  });
  button.addEventListener('click', start);
  setInterval(checkProgress, 1000);
  start();
}

// A page that is made ready before a visit takes nothing.
if (document.prerendering) document.addEventListener('prerenderingchange', begin, { once: true });
else begin();
`;
