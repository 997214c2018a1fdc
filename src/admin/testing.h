// For tests: a control server of its own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "admin/control_server.h"
#include "async/shard.h"
#include "async/testing.h"

namespace admin {

// The server runs on a shard of its own, with its socket in a folder that goes with the test. Fill the table before the
// first start.
class ControlServerFixture : public testing::Test {
 protected:
  ControlServerFixture() {
    char name[] = "/tmp/posthorn-control-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/control.sock";
  }
  ~ControlServerFixture() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { StopServer(); }

  void StartServer(ControlServerOptions options = {}) {
    auto socket = ControlSocket::Open(path_);
    ASSERT_TRUE(socket.has_value()) << socket.error().message();
    shard_.emplace("control test");
    server_.emplace(shard_->executor(), *std::move(socket), &table_, options);
    server_->Start();
    shard_->Start();
  }
  void StopServer() {
    if (!server_) return;
    asio::io_context context;
    async::RunTask(context, shard_->Run(server_->Stop()));
    shard_->Join();
    server_.reset();
    shard_.reset();
  }

  std::string folder_;
  std::string path_;
  CommandTable table_;

 private:
  std::optional<async::Shard> shard_;
  std::optional<ControlServer> server_;
};

}  // namespace admin
