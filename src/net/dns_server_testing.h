// For tests of the real resolver: an authoritative server on loopback that answers from a DnsTable, by UDP.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/udp.hpp>

#include "async/asio.h"
#include "net/dns_signer_testing.h"
#include "net/resolver_testing.h"

namespace net {

// Thread: that of `context`. The context, the table and the signer, which may be null, outlive it. Answers for as long
// as it lives.
class DnsTestServer {
 public:
  DnsTestServer(asio::io_context* context, const DnsTable* table, const DnsTestSigner* signer = nullptr)
      : table_(table),
        signer_(signer),
        socket_(*context, asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    Receive();
  }

  // As UnboundOptions::servers has it.
  std::string address() const { return "127.0.0.1@" + std::to_string(socket_.local_endpoint().port()); }
  int questions() const { return questions_; }

 private:
  void Receive() {
    socket_.async_receive_from(asio::buffer(packet_), from_, [this](boost::system::error_code error, std::size_t size) {
      if (error) return;
      questions_ += 1;
      const std::string reply = Reply(std::string_view(packet_.data(), size));
      if (!reply.empty()) socket_.send_to(asio::buffer(reply), from_);
      Receive();
    });
  }

  // RFC 1035 §4.1. Empty: no reply.
  std::string Reply(std::string_view query) const {
    constexpr std::size_t kHeaderSize = 12;
    std::string name;
    std::size_t at = kHeaderSize;
    while (query.at(at) != '\0') {
      const auto size = static_cast<unsigned char>(query.at(at));
      if (!name.empty()) name.push_back('.');
      name.append(query.substr(at + 1, size));
      at += size + 1u;
    }
    const auto type = static_cast<DnsType>(static_cast<unsigned char>(query.at(at + 1)) << 8 |
                                           static_cast<unsigned char>(query.at(at + 2)));
    if (table_->Hangs(name, type)) return "";
    const std::string_view question = query.substr(kHeaderSize, at + 5 - kHeaderSize);
    const DnsAnswer answer = table_->Find(name, type);
    const bool fails = table_->Fails(name, type);
    const char code = fails ? 2 : answer.kind == DnsAnswer::Kind::kNoName ? 3 : 0;
    const bool is_signed = signer_ != nullptr && signer_->Signs(name) && !answer.records.empty();
    const auto count =
        static_cast<char>(fails ? 0 : answer.records.size() + (answer.is_alias ? 1 : 0) + (is_signed ? 1 : 0));

    std::string reply(query.substr(0, 2));
    reply += {'\x85', static_cast<char>('\x80' | code), 0, 1, 0, count, 0, 0, 0, 0};
    reply += question;
    if (fails) return reply;
    const std::string target = table_->Target(name);
    const std::string target_name = EncodeMx({.preference = 0, .exchange = target}).substr(2);
    if (answer.is_alias) reply += Record({"\xc0\x0c", 2}, kCname, target_name);
    for (const std::string& rdata : answer.records) reply += Record(target_name, type, rdata);
    if (is_signed) reply += Record(target_name, kRrsig, signer_->Sign(target, type, kTtl, answer.records));
    return reply;
  }

  static constexpr auto kCname = static_cast<DnsType>(5);
  static constexpr char kTtl = 60;

  static std::string Record(std::string_view owner, DnsType type, std::string_view rdata) {
    std::string record(owner);
    record += {0, static_cast<char>(type), 0, 1, 0, 0, 0, kTtl};
    record += {static_cast<char>(rdata.size() >> 8), static_cast<char>(rdata.size() & 0xff)};
    return record.append(rdata);
  }

  const DnsTable* table_;
  const DnsTestSigner* signer_;
  asio::ip::udp::socket socket_;
  asio::ip::udp::endpoint from_;
  std::array<char, 4096> packet_{};
  int questions_ = 0;
};

}  // namespace net
