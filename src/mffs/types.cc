#include "mffs/types.h"

namespace mffs {

std::string_view ToString(Stream stream) {
  switch (stream) {
    case Stream::kMeta:
      return "meta";
    case Stream::kTransit:
      return "transit";
    case Stream::kParked:
      return "parked";
    case Stream::kMailbox:
      return "mailbox";
    case Stream::kCold:
      return "cold";
    case Stream::kHistory:
      return "history";
    case Stream::kBrief:
      return "brief";
  }
  return "unknown";
}

}  // namespace mffs
