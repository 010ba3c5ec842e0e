#include "sandbox/s3/service.hpp"

#include <fmt/format.h>

#include "core/json.hpp"
#include "s3/digest.hpp"
#include "sandbox/s3/xml.hpp"

namespace twinspan::s3_stub {

Answer refuse(int status, std::string code, std::string message) {
  Answer out;
  out.status = status;
  out.content_type = "application/xml";
  out.body = Xml("Error").field("Code", code).field("Message", message).finish();
  return out;
}

Answer xml(std::string text) {
  Answer out;
  out.content_type = "application/xml";
  out.body = std::move(text);
  return out;
}

std::string query_of(const Ask& ask, const char* name) {
  const auto found = ask.query.find(name);
  return found == ask.query.end() ? "" : found->second;
}

std::string unquoted_etag(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

WallTime Service::now() const { return SystemClock().wall_now() + std::chrono::seconds(offset_seconds.load()); }

void Service::create_bucket(const std::string& name) {
  std::lock_guard lock(mutex_);
  buckets_.try_emplace(name);
}

size_t Service::objects(const std::string& bucket) {
  std::lock_guard lock(mutex_);
  return buckets_[bucket].objects.size();
}

std::vector<std::string> Service::keys(const std::string& bucket) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [key, object] : buckets_[bucket].objects) out.push_back(key);
  return out;
}

std::optional<std::string> Service::body(const std::string& bucket, const std::string& key) {
  std::lock_guard lock(mutex_);
  const Bucket& found = buckets_[bucket];
  const auto object = found.objects.find(key);
  return object == found.objects.end() ? std::nullopt : std::optional(*object->second->body);
}

size_t Service::uploads(const std::string& bucket) {
  std::lock_guard lock(mutex_);
  return buckets_[bucket].uploads.size();
}

void Service::put_object(const std::string& bucket, const std::string& key, Object object) {
  std::lock_guard lock(mutex_);
  store(buckets_[bucket], bucket, key, std::move(object));
}

void Service::delete_object(const std::string& bucket, const std::string& key) {
  std::lock_guard lock(mutex_);
  erase(buckets_[bucket], bucket, key);
}

void Service::store(Bucket& bucket, const std::string& name, const std::string& key, Object object) {
  object.modified = now();
  if (object.etag.empty()) object.etag = s3::to_hex(s3::md5_of(*object.body));
  auto stored = std::make_shared<const Object>(std::move(object));
  note(bucket, name, key, "s3:ObjectCreated:Put", stored.get());
  remember(bucket, key, stored);
  bucket.objects.insert_or_assign(key, std::move(stored));
}

void Service::note(Bucket& bucket, const std::string& name, const std::string& key, const char* event,
                   const Object* object) {
  if (listeners_ == 0) return;
  Json record{{"eventVersion", "2.0"},
              {"eventTime", to_rfc3339(now())},
              {"eventName", event},
              {"s3", {{"bucket", {{"name", name}}}, {"object", {{"key", url_encoded(key)}}}}}};
  if (object) {
    record["s3"]["object"]["size"] = object->body->size();
    record["s3"]["object"]["eTag"] = object->etag;
  }
  bucket.events.push_back(Json{{"EventName", event}, {"Key", name + "/" + key}, {"Records", {record}}}.dump());
  changed_.notify_all();
}

Answer Service::serve(const Ask& ask) {
  const size_t slash = std::min(ask.path.find('/', 1), ask.path.size());
  const std::string name = ask.path.substr(1, slash - 1);
  if (name.empty()) return refuse(405, "MethodNotAllowed", "of the service");
  if (slash + 1 >= ask.path.size()) return serve_bucket(ask, name);
  return serve_object(ask, name, ask.path.substr(slash + 1));
}

Answer Service::serve_bucket(const Ask& ask, const std::string& name) {
  if (ask.method == "GET" && ask.query.contains("events")) return listen(ask, name);
  std::lock_guard lock(mutex_);
  const auto found = buckets_.find(name);
  if (ask.method == "PUT" && ask.query.empty()) {
    if (found != buckets_.end()) return refuse(409, "BucketAlreadyOwnedByYou", "It is yours already");
    buckets_[name];
    return xml("");
  }
  if (found == buckets_.end()) return refuse(404, "NoSuchBucket", "The bucket does not exist");
  Bucket& bucket = found->second;
  if (ask.method == "HEAD") return xml("");
  if (ask.method == "POST" && ask.query.contains("delete")) return remove_many(ask, bucket, name);
  if (ask.method == "PUT" && ask.query.contains("versioning")) return keep_versions(ask, bucket);
  if (ask.method != "GET") return refuse(405, "MethodNotAllowed", ask.method);
  if (ask.query.contains("uploads")) return list_uploads(ask, name, bucket);
  if (ask.query.contains("versioning")) {
    Xml out("VersioningConfiguration");
    if (bucket.keeps_versions) out.field("Status", "Enabled");
    return xml(out.finish());
  }
  if (ask.query.contains("versions") && bucket.keeps_versions) return list_versions(ask, name, bucket);
  if (ask.query.contains("versions")) return list(ask, name, bucket, true);
  if (query_of(ask, "list-type") != "2") return refuse(400, "InvalidArgument", "list-type: expected 2");
  return list(ask, name, bucket, false);
}

Answer Service::serve_object(const Ask& ask, const std::string& name, const std::string& key) {
  if (key.size() > 1024) return refuse(400, "KeyTooLongError", "Your key is too long");
  std::lock_guard lock(mutex_);
  const auto found = buckets_.find(name);
  if (found == buckets_.end()) return refuse(404, "NoSuchBucket", "The bucket does not exist");
  Bucket& bucket = found->second;
  if (ask.method == "POST" && ask.query.contains("uploads")) return create_upload(ask, bucket, name, key);
  if (const std::string id = query_of(ask, "uploadId"); !id.empty()) {
    const auto upload = bucket.uploads.find(id);
    if (upload == bucket.uploads.end() || upload->second.key != key)
      return refuse(404, "NoSuchUpload", "The upload does not exist, was completed or aborted");
    if (ask.method == "PUT") return put_part(ask, upload->second);
    if (ask.method == "POST") return complete(ask, bucket, name, key, id);
    if (ask.method == "GET") return list_parts(ask, name, upload->second, id);
    if (ask.method != "DELETE") return refuse(405, "MethodNotAllowed", ask.method);
    bucket.uploads.erase(upload);
    Answer out;
    out.status = 204;
    return out;
  }
  if (ask.method == "PUT" && ask.query.empty())
    return put(ask, bucket, name, key, !ask.header("x-amz-copy-source").empty());
  if (const std::string version = query_of(ask, "versionId"); !version.empty() && bucket.keeps_versions)
    return serve_version(ask, bucket, key, version);
  const auto object = bucket.objects.find(key);
  if (ask.method == "DELETE" && ask.query.empty()) {
    erase(bucket, name, key);
    Answer out;
    out.status = 204;
    return out;
  }
  if (object == bucket.objects.end()) return refuse(404, "NoSuchKey", "The key does not exist");
  return show(ask, object->second);
}

Answer Service::show(const Ask& ask, const ObjectPointer& object) {
  if (ask.method == "GET" && ask.query.contains("tagging")) {
    Xml out("Tagging");
    out.open("TagSet");
    for (const auto& [tag, value] : object->tags) out.open("Tag").field("Key", tag).field("Value", value).close("Tag");
    return xml(out.close("TagSet").finish());
  }
  if (ask.method == "GET" || ask.method == "HEAD") return get(ask, object);
  return refuse(405, "MethodNotAllowed", ask.method);
}

Answer Service::listen(const Ask& ask, const std::string& name) {
  if (!listens_) return refuse(501, "NotImplemented", "no notifications");
  struct Listening {
    Service& service;
    const std::string name, prefix;
    size_t at;
    Listening(Service& s, std::string n, std::string p) : service(s), name(std::move(n)), prefix(std::move(p)) {
      std::lock_guard lock(service.mutex_);
      ++service.listeners_;
      at = service.buckets_[name].events.size();
    }
    ~Listening() {
      std::lock_guard lock(service.mutex_);
      --service.listeners_;
    }
  };
  auto state = std::make_shared<Listening>(*this, name, query_of(ask, "prefix"));
  Answer out;
  out.content_type = "text/event-stream";
  out.stream = [this, state](const auto& write, const std::stop_token& stop) {
    std::string text;
    {
      std::unique_lock lock(mutex_);
      const auto& events = buckets_[state->name].events;
      changed_.wait_for(lock, stop, std::chrono::milliseconds(500), [&] { return state->at < events.size(); });
      const std::string wanted = "\"Key\":" + Json(state->name + "/" + state->prefix).dump();
      for (; state->at < events.size(); ++state->at)
        if (events[state->at].find(std::string_view(wanted).substr(0, wanted.size() - 1)) != std::string::npos)
          text += events[state->at] + "\n";
    }
    if (stop.stop_requested()) return false;
    return write(text.empty() ? " " : text);
  };
  return out;
}

}  // namespace twinspan::s3_stub
