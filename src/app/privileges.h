// Privileges: what a node that root started gives up, and to whom. docs/operations.md, "Whom the node runs as"
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "app/config.h"
#include "base/result.h"

namespace app {

// A user of the machine with one group.
struct RunAs {
  std::string name;
  uid_t user_id = 0;
  gid_t group_id = 0;
};

// "user" (with its own group) or "user:group". Errors: kInvalid (no such user or group, or the user is root).
base::Result<RunAs> FindUser(std::string_view run_as);

// Whom to become: nobody, if we are not root or if `dev` allows to stay root. Errors: those of FindUser, with what to
// do.
base::Result<std::optional<RunAs>> WhomToBecome(const NodeConfig& config);

// As many descriptors and as much locked memory as this process may have (root: as much locked memory as it likes).
void RaiseLimits();

// No program that this process or its threads start gains rights by a set-user-id bit. Before the first thread is made:
// each thread has its own flag and inherits it. Errors: kIo.
base::Result<> ForbidNewPrivileges();

// Gives to `user` the folder and all in it that belongs to root: regular files with one name, folders, sockets. What
// anybody could have put there to have it given away (symbolic links, further names of other files) is left alone.
// Errors: kIo.
base::Result<> HandOver(const std::string& folder, const RunAs& user);
// The same for one regular file; anything else (a block device) is left alone.
base::Result<> HandOverFile(const std::string& path, const RunAs& user);

// Becomes `user` for good, with its one group, in all threads. Errors: kDenied; then the process must not go on.
base::Result<> BecomeUser(const RunAs& user);

}  // namespace app
