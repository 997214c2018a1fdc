// ImapSource: a running IMAP server (RFC 3501) as a source of mail. docs/cli.md, "Moving mail".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/client_socket.h"
#include "pop3/proto/uidl_format.h"
#include "transfer/imap_reader.h"
#include "transfer/mail_source.h"

namespace transfer {

// "imap://user@host:port" or "imaps://...": the user may be percent-encoded.
struct ImapUrl {
  std::string user;
  std::string host;
  std::uint16_t port = 0;
  bool is_tls = false;
};
// Errors: kInvalid.
base::Result<ImapUrl> ParseImapUrl(std::string_view text);

struct ImapSourceOptions {
  ImapUrl url;
  std::string password;
  bool verifies_tls = true;
  std::string ca_file;
  bool allows_plaintext = false;        // To a host that is not this one, if it offers no TLS.
  pop3::proto::UidlFormat uidl_format;  // Of the POP3 server beside it.
  ImapReaderOptions reader;
  std::uint64_t mails_max = 20'000'000;
};

// Reads with EXAMINE and BODY.PEEK: nothing changes there. Thread: one; calls block. Memory: about 300 bytes a mail of
// the folder at work, and the mails that were announced.
class ImapSource final : public MailSource {
 public:
  // Connects, encrypts and logs in. Errors: kDenied (password, certificate, no TLS), kClosed, kTimeout, kNotFound, kIo.
  static base::Result<ImapSource> Open(ImapSourceOptions options);

  base::Result<std::vector<SourceFolder>> Folders() override;
  base::Result<std::vector<SourceMail>> Mails(const SourceFolder& folder) override;
  base::Result<> Announce(const SourceFolder& folder, const std::vector<const SourceMail*>& mails) override;
  base::Result<std::string> Read(const SourceFolder& folder, const SourceMail& mail) override;

 private:
  ImapSource(ImapSourceOptions options, net::ClientSocket socket)
      : options_(std::move(options)), socket_(std::move(socket)), reader_(options_.reader) {}

  base::Result<ImapResponse> Receive();
  // Sends a command and hands `visit` each untagged response; returns at its OK. Errors: kDenied (NO, with the server's
  // words), kInvalid (BAD), kClosed.
  template <class Visit>
  base::Result<> Do(const std::string& command, Visit visit);
  base::Result<> Do(const std::string& command);
  base::Result<> Begin();
  base::Result<> LogIn();
  base::Result<> ReadCapabilities();
  bool Can(std::string_view capability) const;
  base::Result<std::vector<ImapListed>> List(std::string_view command);
  base::Result<> AddFolder(const ImapListed& listed, const std::vector<ImapListed>& subscribed,
                           std::vector<SourceFolder>* folders);
  base::Result<> Select(const SourceFolder& folder);

  ImapSourceOptions options_;
  net::ClientSocket socket_;
  ImapReader reader_;
  std::vector<std::string> capabilities_;
  std::uint64_t commands_ = 0;
  std::string selected_;
  std::uint64_t exists_ = 0;                                // Mails of the selected mailbox.
  std::unordered_map<std::uint32_t, std::string> fetched_;  // By UID: announced, not yet read.
};

}  // namespace transfer
