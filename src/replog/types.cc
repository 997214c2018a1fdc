#include "replog/types.h"

namespace replog {

void BodyRef::EncodeTo(base::Encoder& out) const {
  out.Varint(id.value());
  out.Varint(size_bytes);
  out.Varint(extents.size());
  for (std::size_t i = 0; i < extents.size(); ++i) {
    extents[i].EncodeTo(out);
    out.Varint(extent_bytes[i]);
  }
}

BodyRef BodyRef::DecodeFrom(base::Decoder& in) {
  BodyRef body;
  body.ReadFrom(in);
  return body;
}

void BodyRef::ReadFrom(base::Decoder& in) {
  extents.clear();
  extent_bytes.clear();
  id = BodyId(in.Varint());
  size_bytes = in.Varint();
  const std::uint64_t count = in.Varint();
  // An extent takes at least 21 bytes: a hostile count fails before it allocates.
  if (count > in.remaining() / (mffs::Location::kEncodedSize + 1)) in.Raw(in.remaining() + 1);
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    extents.push_back(mffs::Location::DecodeFrom(in));
    extent_bytes.push_back(static_cast<std::uint32_t>(in.Varint()));
  }
  if (!in.ok()) *this = {};
}

}  // namespace replog
