/**
 * What of the W3C's `USBDevice` a token needs (WebUSB API, 4). It stands here by itself, as the types of a page do not
 * have WebUSB.
 */
export interface TokenUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string | null | undefined;
  readonly opened: boolean;
  readonly configuration?: TokenUsbConfiguration | null | undefined;
  open(): Promise<void>;
  /** Ends the transfers that are under way. */
  close(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(interfaceNumber: number): Promise<void>;
  /** @param length octets at most. */
  transferIn(endpointNumber: number, length: number): Promise<InTransfer>;
  transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>): Promise<OutTransfer>;
  clearHalt(direction: 'in' | 'out', endpointNumber: number): Promise<void>;
}

export interface InTransfer {
  readonly status?: 'ok' | 'stall' | 'babble' | undefined;
  readonly data?: DataView | undefined;
}

export interface OutTransfer {
  readonly status?: 'ok' | 'stall' | 'babble' | undefined;
  readonly bytesWritten: number;
}

export interface TokenUsbConfiguration {
  readonly interfaces: readonly {
    readonly interfaceNumber: number;
    readonly alternate: TokenUsbInterface & { readonly endpoints: readonly TokenUsbEndpoint[] };
  }[];
}

export interface TokenUsbInterface {
  readonly interfaceClass: number;
  readonly interfaceSubclass: number;
  readonly interfaceProtocol: number;
}

export interface TokenUsbEndpoint {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: 'bulk' | 'interrupt' | 'isochronous';
  readonly packetSize: number;
}
