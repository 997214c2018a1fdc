// The peers that MFFS is measured against: one file a mail, RocksDB, SQLite. Each in its durable and fastest form.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "load.h"

namespace bench {

// One file a mail: write, fsync, rename, fsync of the directory, which is one for all writers, as a Maildir or a mail
// queue's incoming/ is, or one of several. `folder` exists and is empty, here and below.
base::Result<std::unique_ptr<BlockingStore>> OpenFileStore(const std::string& folder, std::uint32_t directories);

// RocksDB with WriteOptions.sync: its group commit gathers what the threads write at once. Bodies go to blob files, so
// that no compaction copies them; no compression; large memtables, so that a short run does not wait for flushes.
base::Result<std::unique_ptr<BlockingStore>> OpenRocksStore(const std::string& folder);

// SQLite in WAL mode with synchronous=FULL: a transaction a mail, all threads through one connection and its mutex,
// since SQLite has one writer at a time and further connections would only find the database busy.
base::Result<std::unique_ptr<BlockingStore>> OpenSqliteStore(const std::string& folder);

}  // namespace bench
