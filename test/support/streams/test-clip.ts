import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const H264_AAC = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-c:a', 'aac'];

/**
 * Makes a transport stream with picture and sound, of a variable rate.
 * @param seconds of media.
 * @param codecs as ffmpeg takes them.
 */
export async function makeClip(path: string, seconds: number, codecs = H264_AAC): Promise<Buffer> {
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=25:duration=${seconds}`];
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`];
  await run('ffmpeg', ['-v', 'error', '-y', ...picture, ...sound, ...codecs, '-f', 'mpegts', path]);
  return readFile(path);
}

/** What ffprobe says of a file: its complaints, and the kinds of its streams. */
export async function probeClip(path: string): Promise<{ complaints: string; streams: string[] }> {
  const ask = ['-v', 'error', '-count_packets', '-show_entries', 'stream=codec_type', '-of', 'csv=p=0', path];
  const { stdout, stderr } = await run('ffprobe', ask);
  // It names a stream once for itself and once for its programme.
  const streams = new Set(stdout.split('\n').filter((line) => line !== ''));
  return { complaints: stderr, streams: [...streams].toSorted() };
}
