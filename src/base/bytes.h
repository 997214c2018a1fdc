// Bytes and little-endian fields of disk and wire formats, written and read by hand.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base {

static_assert(std::endian::native == std::endian::little, "the disk formats are little-endian and copied as they are");

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
  requires std::is_trivially_copyable_v<T>
T LoadLe(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void StoreLe(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// Appends fields to a string; the counterpart of Decoder.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  void U8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void U16(std::uint16_t v) { Fixed(v); }
  void U32(std::uint32_t v) { Fixed(v); }
  void U64(std::uint64_t v) { Fixed(v); }
  void I64(std::int64_t v) { Fixed(v); }
  // LEB128: small numbers in few bytes.
  void Varint(std::uint64_t v) {
    while (v >= 0x80) {
      U8(static_cast<std::uint8_t>(v | 0x80));
      v >>= 7;
    }
    U8(static_cast<std::uint8_t>(v));
  }
  // A length (varint) and the bytes.
  void Text(std::string_view text) {
    Varint(text.size());
    out_.append(text);
  }

 private:
  template <class T>
  void Fixed(T v) {
    char raw[sizeof v];
    StoreLe(raw, v);
    out_.append(raw, sizeof v);
  }
  std::string& out_;
};

// Reads fields from bytes that may be hostile. After any read past the end ok() is false and every value is zero or
// empty.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}
  std::uint8_t U8() { return Fixed<std::uint8_t>(); }
  std::uint16_t U16() { return Fixed<std::uint16_t>(); }
  std::uint32_t U32() { return Fixed<std::uint32_t>(); }
  std::uint64_t U64() { return Fixed<std::uint64_t>(); }
  std::int64_t I64() { return Fixed<std::int64_t>(); }
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = U8();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    Fail();
    return 0;
  }
  // A view into the input.
  std::string_view Text() { return Raw(Varint()); }
  std::string_view Raw(std::uint64_t size) {
    if (size > in_.size()) {
      Fail();
      return {};
    }
    const std::string_view text = in_.substr(0, size);
    in_.remove_prefix(size);
    return text;
  }
  std::string_view Rest() { return Raw(in_.size()); }

  bool ok() const { return ok_; }
  // Everything was read and nothing was missing.
  bool AtEnd() const { return ok_ && in_.empty(); }
  std::size_t remaining() const { return in_.size(); }

 private:
  template <class T>
  T Fixed() {
    if (in_.size() < sizeof(T)) {
      Fail();
      return 0;
    }
    const T value = LoadLe<T>(in_.data());
    in_.remove_prefix(sizeof(T));
    return value;
  }
  void Fail() {
    ok_ = false;
    in_ = {};
  }

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace base
