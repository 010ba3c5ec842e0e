// CRC-32C (Castagnoli), by which record batches are checked, and its arithmetic: it is linear, so that what changes in
// a few bytes changes it in a way that does not depend on the rest.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace twinspan::kafka {

uint32_t crc32c(std::string_view bytes);

// The checksum of bytes of which some were changed, without a look at the others. `change` is old XOR new of a run of
// bytes, `behind` how many bytes follow them. What was wrong with the old checksum is wrong with the new one.
uint32_t crc32c_after(uint32_t old, std::string_view change, size_t behind);

}  // namespace twinspan::kafka
