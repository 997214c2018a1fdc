#include "app/secret_file.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

namespace app {
namespace {

constexpr std::size_t kSecretBytes = 32;

// In one write, so that a file is whole or as good as missing: a start that was cut off makes it anew.
base::Result<> Write(const std::string& path, const std::string& secret) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return base::ErrnoError("make " + path, errno);
  const bool is_written = ::write(file, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size());
  const int error = errno;
  ::close(file);
  if (!is_written) return base::ErrnoError("write " + path, error);
  return {};
}

}  // namespace

base::Result<std::string> EnsureSecretFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string secret((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (secret.size() >= kSecretBytes) return secret;
  secret = base::RandomHex(kSecretBytes);
  RETURN_IF_ERROR(Write(path, secret));
  return secret;
}

}  // namespace app
