/*
 * Opens SRTP packets with libsrtp, AEAD_AES_128_GCM with an MKI of 4 octets. Integers are big-endian.
 *
 *   in:  SSRC u32, ROC u32, number of keys u16, so many times: MKI 4, master key 16, master salt 12;
 *        then packets to the end: length u16, octets
 *   out: for each packet: length u16, the clear RTP packet; length 0 when libsrtp refuses it
 */
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_KEYS 16
#define MKI_LENGTH 4
#define KEY_AND_SALT 28
#define MOST_PACKET 2048

static void need(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "open-with-libsrtp: %s\n", what);
  exit(1);
}

static int take(uint8_t *to, size_t length) {
  return fread(to, 1, length, stdin) == length;
}

static uint32_t number(size_t length) {
  uint8_t octets[4];
  uint32_t value = 0;
  need(take(octets, length), "the input is cut short");
  for (size_t i = 0; i < length; i++) value = value << 8 | octets[i];
  return value;
}

int main(void) {
  static uint8_t mkis[MOST_KEYS][MKI_LENGTH], keys[MOST_KEYS][KEY_AND_SALT];
  static srtp_master_key_t masters[MOST_KEYS];
  static srtp_master_key_t *list[MOST_KEYS];
  uint32_t ssrc = number(4), roc = number(4), count = number(2);
  need(count >= 1 && count <= MOST_KEYS, "1 to 16 keys");
  for (uint32_t i = 0; i < count; i++) {
    need(take(mkis[i], MKI_LENGTH) && take(keys[i], KEY_AND_SALT), "a key is cut short");
    masters[i] = (srtp_master_key_t){.key = keys[i], .mki_id = mkis[i], .mki_size = MKI_LENGTH};
    list[i] = &masters[i];
  }

  srtp_policy_t policy;
  memset(&policy, 0, sizeof policy);
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
  policy.ssrc.type = ssrc_specific;
  policy.ssrc.value = ssrc;
  policy.keys = list;
  policy.num_master_keys = count;
  policy.window_size = 1024;
  srtp_t session;
  need(srtp_init() == srtp_err_status_ok, "libsrtp does not start");
  need(srtp_create(&session, &policy) == srtp_err_status_ok, "libsrtp refuses the keys");
  need(srtp_set_stream_roc(session, ssrc, roc) == srtp_err_status_ok, "libsrtp refuses the roll-over counter");

  uint8_t packet[MOST_PACKET], length[2];
  while (take(length, 2)) {
    int size = length[0] << 8 | length[1];
    need(size <= MOST_PACKET && take(packet, size), "a packet is too long or cut short");
    if (srtp_unprotect_mki(session, packet, &size, 1) != srtp_err_status_ok) size = 0;
    fputc(size >> 8, stdout);
    fputc(size & 255, stdout);
    fwrite(packet, 1, size, stdout);
  }
  return 0;
}
