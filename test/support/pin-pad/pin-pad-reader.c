/*
 * A reader with a keypad for tests: vpcd's driver, and the two requests of PC/SC part 10 by which a PIN is entered.
 * The holder's fingers are the file that PIN_PAD_KEYS names: digits are entered, "X" cancels, and nothing times out.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <PCSC/ifdhandler.h>
#include <PCSC/reader.h>

#define VPCD "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
#define VERIFY_CODE (SCARD_CTL_CODE(3401))

static void *vpcd(const char *name) {
  static void *library;
  if (library == NULL) library = dlopen(VPCD, RTLD_NOW);
  return library == NULL ? NULL : dlsym(library, name);
}

#define PASS(name, types, values) \
  RESPONSECODE name types { \
    RESPONSECODE(*next) types = vpcd(#name); \
    return next == NULL ? IFD_COMMUNICATION_ERROR : next values; \
  }

PASS(IFDHCreateChannel, (DWORD lun, DWORD channel), (lun, channel))
PASS(IFDHCreateChannelByName, (DWORD lun, LPSTR name), (lun, name))
PASS(IFDHCloseChannel, (DWORD lun), (lun))
PASS(IFDHGetCapabilities, (DWORD lun, DWORD tag, PDWORD length, PUCHAR value), (lun, tag, length, value))
PASS(IFDHSetCapabilities, (DWORD lun, DWORD tag, DWORD length, PUCHAR value), (lun, tag, length, value))
PASS(IFDHSetProtocolParameters, (DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3),
     (lun, protocol, flags, pts1, pts2, pts3))
PASS(IFDHPowerICC, (DWORD lun, DWORD action, PUCHAR atr, PDWORD length), (lun, action, atr, length))
PASS(IFDHTransmitToICC, (DWORD lun, SCARD_IO_HEADER send, PUCHAR command, DWORD length, PUCHAR answer,
     PDWORD answerLength, PSCARD_IO_HEADER receive), (lun, send, command, length, answer, answerLength, receive))
PASS(IFDHICCPresence, (DWORD lun), (lun))

/** Puts what was entered into the command, as the request says. Returns 0, or the reader's status word. */
static unsigned enter(const PIN_VERIFY_STRUCTURE *request, unsigned char *command) {
  char digits[32] = "";
  const char *path = getenv("PIN_PAD_KEYS");
  FILE *keys = path == NULL ? NULL : fopen(path, "r");
  if (keys == NULL || fgets(digits, sizeof digits, keys) == NULL) digits[0] = 0;
  if (keys != NULL) fclose(keys);
  if (digits[0] == 'X') return 0x6401;
  size_t count = strlen(digits);
  size_t most = request->wPINMaxExtraDigit & 0xff, least = request->wPINMaxExtraDigit >> 8;
  if (count < least || count > most) return 0x6400;
  /* ASCII from the left, in whole octets, and a block without a length of its own. */
  if (request->bmFormatString != 0x82 || (request->bmPINBlockString >> 4) != 0) return 0x6b80;
  if (count > (request->bmPINBlockString & 0x0f)) return 0x6b80;
  memcpy(command + 5, digits, count);
  return 0;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR data, DWORD length, PUCHAR answer, DWORD room, LPDWORD got) {
  *got = 0;
  if (code == CM_IOCTL_GET_FEATURE_REQUEST && room >= sizeof(PCSC_TLV_STRUCTURE)) {
    PCSC_TLV_STRUCTURE feature = {FEATURE_VERIFY_PIN_DIRECT, 4, htonl(VERIFY_CODE)};
    memcpy(answer, &feature, sizeof feature);
    *got = sizeof feature;
    return IFD_SUCCESS;
  }
  if (code != VERIFY_CODE || room < 2) return IFD_ERROR_NOT_SUPPORTED;
  PIN_VERIFY_STRUCTURE *request = (PIN_VERIFY_STRUCTURE *)data;
  if (length < sizeof *request || request->ulDataLength != length - sizeof *request) return IFD_COMMUNICATION_ERROR;
  unsigned status = enter(request, request->abData);
  if (status != 0) {
    answer[0] = status >> 8;
    answer[1] = status & 0xff;
    *got = 2;
    return IFD_SUCCESS;
  }
  SCARD_IO_HEADER header = {1, sizeof header};
  DWORD answered = room;
  RESPONSECODE result = IFDHTransmitToICC(lun, header, request->abData, request->ulDataLength, answer, &answered, &header);
  *got = answered;
  return result;
}
