#include <mutex>

#include <sqlite3.h>

#include "peers.h"

namespace bench {
namespace {

class SqliteStore final : public BlockingStore {
 public:
  explicit SqliteStore(sqlite3* db) : db_(db) {}
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }

  base::Result<> Prepare() {
    RETURN_IF_ERROR(Run("PRAGMA journal_mode=WAL"));
    RETURN_IF_ERROR(Run("PRAGMA synchronous=FULL"));
    RETURN_IF_ERROR(Run("CREATE TABLE mail(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"));
    if (sqlite3_prepare_v2(db_, "INSERT INTO mail(body) VALUES(?)", -1, &insert_, nullptr) != SQLITE_OK)
      return Failed();
    return {};
  }

  base::Result<> Store(std::uint32_t, std::uint64_t, std::string_view mail) override {
    const std::scoped_lock lock(mutex_);
    if (sqlite3_bind_blob64(insert_, 1, mail.data(), mail.size(), SQLITE_STATIC) != SQLITE_OK) return Failed();
    // A statement outside of BEGIN and COMMIT is a transaction of its own, durable when the step is done.
    if (sqlite3_step(insert_) != SQLITE_DONE) return Failed();
    sqlite3_reset(insert_);
    return {};
  }

 private:
  base::Result<> Run(const char* statement) {
    if (sqlite3_exec(db_, statement, nullptr, nullptr, nullptr) != SQLITE_OK) return Failed();
    return {};
  }
  base::Error Failed() { return {base::Errc::kIo, std::string("SQLite: ") + sqlite3_errmsg(db_)}; }

  sqlite3* db_;
  sqlite3_stmt* insert_ = nullptr;
  std::mutex mutex_;  // Of the connection and its statement.
};

}  // namespace

base::Result<std::unique_ptr<BlockingStore>> OpenSqliteStore(const std::string& folder) {
  sqlite3* db = nullptr;
  const std::string path = folder + "/mail.db";
  const int opened =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  auto store = std::make_unique<SqliteStore>(db);
  if (opened != SQLITE_OK) return base::Error(base::Errc::kIo, "open " + path + ": " + sqlite3_errstr(opened));
  RETURN_IF_ERROR(store->Prepare());
  return store;
}

}  // namespace bench
