#pragma once
// Names are resolved by the backend for this computer: here all are found at once.
#include "esphome/components/network/ip_address.h"

using err_t = int;
inline constexpr err_t ERR_OK = 0, ERR_INPROGRESS = -5, ERR_ARG = -16;
enum { LWIP_DNS_ADDRTYPE_IPV4, LWIP_DNS_ADDRTYPE_IPV6_IPV4 };

template<typename F> err_t dns_gethostbyname_addrtype(const char *, ip_addr_t *address, F, void *, int) {
  ipaddr_aton("127.0.0.1", address);
  return ERR_OK;
}
