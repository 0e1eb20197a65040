/**
 * What to type on Linux so that a token belongs to whoever sits at the machine.
 * @returns a command that adds the rules of `scripts/70-tollcast-token.rules` for this vendor and product id.
 */
export function adviseUdevRule(vendorId: number, productId: number): string {
  const [vendor, product] = [vendorId, productId].map((id) => id.toString(16).padStart(4, '0'));
  const hid = `KERNEL=="hidraw*", KERNELS=="*:${`${vendor}:${product}`.toUpperCase()}.*", TAG+="uaccess"`;
  const usb = `SUBSYSTEM=="usb", ATTR{idVendor}=="${vendor}", ATTR{idProduct}=="${product}", TAG+="uaccess"`;
  return (
    `printf '%s\\n' '${hid}' '${usb}' | sudo tee -a /etc/udev/rules.d/70-tollcast-token.rules && ` +
    'sudo udevadm control --reload && sudo udevadm trigger'
  );
}
