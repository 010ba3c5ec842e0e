#include "net/http.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/wait.hpp"

namespace twinspan::net {
namespace {

using namespace std::chrono_literals;

std::string url(const Server& server) { return "http://127.0.0.1:" + std::to_string(server.port()); }

Request get(std::string path) {
  Request request;
  request.path = std::move(path);
  return request;
}

// Polls until `done` or ten seconds have passed.
template <class F>
bool eventually(F done) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < until) {
    if (done()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

TEST(Http, CarriesMethodPathQueryHeadersAndBody) {
  IncomingRequest seen;
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    seen = request;
    OutgoingResponse out;
    out.status = 201;
    out.body = "made";
    out.headers = {{"X-Answer", "42"}};
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    Request request = get("/a/b%20c?labelSelector=" + percent_encode("a=b,c in (d)") + "&watch=1");
    request.method = method;
    request.headers = {{"X-Ask", "why"}};
    if (method != "GET") request.body = "body of " + method;
    request.content_type = "application/merge-patch+json";
    const auto answer = client.send(request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, "made");
    EXPECT_EQ(answer->header("x-answer"), "42");
    EXPECT_EQ(seen.method, method);
    EXPECT_EQ(seen.path, "/a/b c");
    EXPECT_EQ(seen.query.find("labelSelector")->second, "a=b,c in (d)");
    EXPECT_EQ(seen.header("x-ask"), "why");
    EXPECT_EQ(seen.header("Content-Type"), "application/merge-patch+json");
    EXPECT_EQ(seen.body, request.body);
    EXPECT_EQ(seen.remote_address, "127.0.0.1");
  }
}

TEST(Http, TargetsAndHeadersArriveAsTheyWereSent) {
  IncomingRequest seen;
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    seen = request;
    OutgoingResponse out;
    out.headers = {{"X-Answer", "50%25 off"}};
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/a%2Fb/../c?x=1+2&y=%41");
  request.headers = {{"X-Ask", "100%20 sure"}};
  const auto answer = client.send(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->header("X-Answer"), "50%25 off");
  EXPECT_EQ(seen.target, request.path);
  EXPECT_EQ(seen.path, "/a/b/../c");
  EXPECT_EQ(seen.query.find("x")->second, "1 2");
  EXPECT_EQ(seen.header("x-ask"), "100%20 sure");
}

TEST(Http, LargeBodiesGoBothWaysWithoutBeingCopiedFirst) {
  const std::string large(3'000'000, 'x');
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    OutgoingResponse out;
    out.status = 206;
    const auto kept = std::make_shared<const std::string>(request.body + "!");
    out.body_view = *kept;
    out.body_owner = kept;
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.method = "PUT";
  request.body_view = large;
  std::string back;
  int status = 0;
  const auto answer = client.receive(
      request,
      [&](std::string_view piece) {
        back += piece;
        return true;
      },
      {},
      [&](const Response& head) {
        status = head.status;
        return true;
      });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(status, 206);
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(back, large + "!");
}

TEST(Http, AReaderMayRefuseABodyByItsHead) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    out.body = "unwanted";
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  const auto answer = client.receive(
      get("/"), [](std::string_view) { return ADD_FAILURE(), true; }, {}, [](const Response&) { return false; });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(client.send(get("/")));
}

TEST(Http, HeadersOfSeveralLinesAreRefused) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) { return OutgoingResponse{}; });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.headers = {{"X-Ask", "a\r\nX-Other: b"}};
  const auto answer = client.send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInvalid);
}

TEST(Http, BodiesBeyondTheLimitAreRefused) {
  Server server({.address = "127.0.0.1", .body_bytes_most = 100},
                [&](const IncomingRequest&) { return OutgoingResponse{}; });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.method = "PUT";
  request.body = std::string(101, 'x');
  const auto answer = client.send(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
}

TEST(Http, DeleteWithoutBodyIsAnsweredAtOnce) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) { return OutgoingResponse{}; });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/x");
  request.method = "DELETE";
  request.timeout = 1s;
  EXPECT_TRUE(client.send(request));
}

TEST(Http, KeepsConnectionsAndServesMoreClientsThanThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  Server server({.address = "127.0.0.1", .threads = 2}, [&](const IncomingRequest&) {
    std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return OutgoingResponse{};
  });
  ASSERT_TRUE(server.start());
  std::vector<std::unique_ptr<Client>> clients;  // each keeps its connection open
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<Client>(url(server), ClientTls{}));
  for (int round = 0; round < 3; ++round)
    for (const auto& client : clients) ASSERT_TRUE(client->send(get("/")));
  // One that gets no processor for a while is helped out by another.
  EXPECT_LT(threads.size(), clients.size());
}

TEST(Http, ManyThreadsShareAFewConnections) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    OutgoingResponse out;
    out.body = request.path;
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {}, {.connections = 3});
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 12; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
          const auto answer = client.send(get(path));
          if (!answer || answer->body != path) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Http, StopTokenEndsAWaitingRequestAtOnce) {
  std::stop_source server_done, stop;
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    stop.request_stop();
    wait_for(20s, server_done.get_token());
    return OutgoingResponse{};
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  const auto start = std::chrono::steady_clock::now();
  const auto answer = client.send(get("/"), stop.get_token());
  server_done.request_stop();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST(Http, StopTokenEndsConnectAtOnce) {
  // A listener whose queue is full: connecting to it hangs.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  listen(listener, 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Client client("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {}, {.connect_timeout = 20s});
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  Request request = get("/");
  request.timeout = 20s;
  const auto answer = client.send(request, stop.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  for (const int fd : fillers) close(fd);
  close(listener);
}

TEST(Http, AnAnswerThatTakesTooLongIsATimeout) {
  std::stop_source server_done;
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    wait_for(20s, server_done.get_token());
    return OutgoingResponse{};
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.timeout = 100ms;
  const auto answer = client.send(request);
  server_done.request_stop();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kTimeout);
}

TEST(Http, ATrickleDoesNotOutliveTheDeadline) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    out.stream = [](const auto& write, const std::stop_token& stop) {
      wait_for(20ms, stop);
      return write("x");
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.timeout = 300ms;
  const auto start = std::chrono::steady_clock::now();
  const auto answer = client.send(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST(Http, RefusedConnectionIsUnavailable) {
  int port;
  {
    Server server({.address = "127.0.0.1"}, [](const IncomingRequest&) { return OutgoingResponse{}; });
    ASSERT_TRUE(server.start());
    port = server.port();
  }
  Client client("http://127.0.0.1:" + std::to_string(port), {});
  const auto answer = client.send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_TRUE(answer.error().retryable);
}

TEST(Http, ReadsGoOnAfterTheServerRestarted) {
  const auto ok = [](const IncomingRequest&) { return OutgoingResponse{}; };
  auto server = std::make_unique<Server>(ServerOptions{.address = "127.0.0.1"}, ok);
  ASSERT_TRUE(server->start());
  const int port = server->port();
  Client client(url(*server), {});
  ASSERT_TRUE(client.send(get("/")));
  server.reset();
  server = std::make_unique<Server>(ServerOptions{.address = "127.0.0.1", .port = port}, ok);
  ASSERT_TRUE(server->start());
  EXPECT_TRUE(client.send(get("/")));
}

TEST(Http, TwoServersCannotShareAPort) {
  const auto ok = [](const IncomingRequest&) { return OutgoingResponse{}; };
  Server first({.address = "127.0.0.1"}, ok);
  ASSERT_TRUE(first.start());
  Server second({.address = "127.0.0.1", .port = first.port()}, ok);
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kUnavailable);
}

TEST(Http, StreamsChunksAsTheyAreWritten) {
  Signal next;
  Server server({.address = "127.0.0.1", .threads = 1}, [&](const IncomingRequest& request) {
    OutgoingResponse out;
    if (request.path == "/plain") return out;
    auto count = std::make_shared<int>(0);
    out.stream = [&, count](const auto& write, const std::stop_token& stop) {
      if (!next.wait(10s, stop)) return false;
      return write("line " + std::to_string(++*count) + "\n") && *count < 3;
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  std::vector<std::string> lines;
  next.raise();
  const auto answer =
      client.stream(get("/"),
                    [&](std::string_view chunk) {
                      lines.emplace_back(chunk);
                      EXPECT_TRUE(client.send(get("/plain")));  // a stream does not occupy the only thread
                      next.raise();
                      return true;
                    },
                    {});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(lines, (std::vector<std::string>{"line 1\n", "line 2\n", "line 3\n"}));
}

TEST(Http, AStreamCutInTheMiddleIsAnError) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    auto count = std::make_shared<int>(0);
    out.stream = [count](const auto& write, const std::stop_token&) -> bool {
      if (++*count == 3) throw CutConnection{};
      return write("half a line");
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  std::string all;
  const auto answer = client.stream(get("/"),
                                    [&](std::string_view chunk) {
                                      all += chunk;
                                      return true;
                                    },
                                    {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(all, "half a linehalf a line");
}

TEST(Http, AHandlerThatCutsLeavesNoAnswer) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) -> OutgoingResponse { throw CutConnection{}; });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  const auto answer = client.send(get("/"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
}

TEST(Http, AStreamLearnsThatItsClientIsGone) {
  std::atomic<bool> started{false}, told{false};
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    out.stream = [&](const auto& write, const std::stop_token& stop) {
      write("first");
      started = true;
      if (!wait_for(20s, stop)) told = true;  // never writes again: only the connection can tell
      return false;
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(eventually([&] { return started.load(); }));
    stop.request_stop();
  });
  const auto answer = client.stream(
      get("/"), [](std::string_view) { return true; }, stop.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_TRUE(eventually([&] { return told.load(); }));
}

TEST(Http, StoppingTheServerEndsStreamsAndIdleConnections) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    OutgoingResponse out;
    if (request.path == "/watch")
      out.stream = [](const auto& write, const std::stop_token& stop) {
        write("first");
        wait_for(60s, stop);
        return false;
      };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  ASSERT_TRUE(client.send(get("/")));
  std::atomic<bool> streaming{false};
  std::jthread watcher([&] {
    client.stream(get("/watch"),
                  [&](std::string_view) {
                    streaming = true;
                    return true;
                  },
                  {});
  });
  ASSERT_TRUE(eventually([&] { return streaming.load(); }));
  const auto start = std::chrono::steady_clock::now();
  server.stop();
  watcher.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST(Http, AStreamWithAnErrorStatusGivesItsBody) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    out.status = 410;
    out.body = "gone";
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  const auto answer = client.stream(get("/"), [](std::string_view) { return ADD_FAILURE(), true; }, {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 410);
  EXPECT_EQ(answer->body, "gone");
}

TEST(Http, SilenceOnAStreamIsATimeout) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    OutgoingResponse out;
    out.stream = [](const auto& write, const std::stop_token& stop) {
      write("first");
      wait_for(20s, stop);
      return false;
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.timeout = 100ms;
  const auto answer = client.stream(request, [](std::string_view) { return true; }, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kTimeout);
}

TEST(Http, AStreamedBodyArrivesWholeAndTheConnectionIsKept) {
  std::string seen;
  std::set<std::string> lengths;
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest& request) {
    seen = request.body;
    lengths.insert(request.header("Content-Length"));
    OutgoingResponse out;
    out.status = 201;
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {}, {.connections = 1});
  const std::string body = std::string(200'000, 'a') + "end";
  for (const size_t piece : {size_t{7'000}, size_t{150'000}, body.size()}) {
    Request request = get("/");
    request.method = "PUT";
    request.stream_bytes = body.size();
    request.stream = [&](const std::function<bool(std::string_view)>& write) {
      for (size_t at = 0; at < body.size(); at += piece)
        if (!write(std::string_view(body).substr(at, piece))) return false;
      return true;
    };
    const auto answer = client.send(request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(seen, body);
  }
  EXPECT_EQ(lengths, (std::set<std::string>{"200003"}));
  Request empty = get("/");
  empty.method = "PUT";
  empty.stream = [](const auto&) { return true; };
  EXPECT_TRUE(client.send(empty));
  EXPECT_EQ(seen, "");
}

TEST(Http, AStreamedBodyOfAnotherLengthIsNeverARequest) {
  std::atomic<int> requests{0};
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    ++requests;
    return OutgoingResponse{};
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  for (const size_t written : {0u, 9u, 11u}) {
    Request request = get("/");
    request.method = "PUT";
    request.stream_bytes = 10;
    request.stream = [&](const std::function<bool(std::string_view)>& write) {
      return write(std::string(written, 'a'));
    };
    EXPECT_FALSE(client.send(request)) << written;
  }
  Request given_up = get("/");
  given_up.method = "PUT";
  given_up.stream_bytes = 10;
  given_up.stream = [&](const std::function<bool(std::string_view)>& write) { return write("half") && false; };
  const auto answer = client.send(given_up);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_TRUE(client.send(get("/")));
  EXPECT_EQ(requests, 1);
}

TEST(Http, ALongAnswerIsBorneWhereOnlySilenceIsLimited) {
  Server server({.address = "127.0.0.1"}, [&](const IncomingRequest&) {
    auto left = std::make_shared<int>(10);
    OutgoingResponse out;
    out.stream = [left](const auto& write, const std::stop_token& stop) {
      wait_for(40ms, stop);
      return write("x") && --*left > 0;
    };
    return out;
  });
  ASSERT_TRUE(server.start());
  Client client(url(server), {});
  Request request = get("/");
  request.timeout = 200ms;
  const auto late = client.send(request);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kTimeout);
  request.timeout_is_silence = true;
  const auto whole = client.send(request);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->body.size(), 10u);
}

TEST(Http, BadUrlsNameWhatWasExpected) {
  for (const std::string bad :
       {"", "ftp://x", "https://", "https://host:0", "https://host:99999", "https://host/path", "https://[::1"}) {
    Client client(bad, {});
    const auto answer = client.send(get("/"));
    ASSERT_FALSE(answer) << bad;
    EXPECT_EQ(answer.error().code, Code::kInvalid) << bad;
  }
}

TEST(PercentEncoding, KeepsUnreservedAndRoundTrips) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b/c=d,e\xc3\xa9"), "a%20b%2Fc%3Dd%2Ce%C3%A9");
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode("100%"), "100%");
}

}  // namespace
}  // namespace twinspan::net
