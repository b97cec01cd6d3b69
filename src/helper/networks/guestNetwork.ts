/**
 * The private network that each machine finds itself in, whatever plays it: 10.0.2.0/24, where .2 is the gateway and
 * .3 the name server. No two machines see each other's network, yet each has an address of its own, so that nothing
 * that a resumed guest remembers of its template still fits.
 */
export const prefix = "10.0.2.";
export const prefixLength = 24;
export const gatewayAddress = `${prefix}2`;
export const nameServerAddress = `${prefix}3`;
/** As libslirp makes it of the address, so that a resumed guest's neighbour table fits either back end. */
export const gatewayMac = "52:55:0a:00:02:02";
