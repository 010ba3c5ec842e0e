#include "s3/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

#include "s3/refusal.hpp"

namespace twinspan::s3 {
namespace {

using Node = pugi::xml_node;

// The document, parsed in place: it and its text live together.
struct Document {
  std::string text;
  pugi::xml_document tree;
};

std::string_view local_name(std::string_view name) {  // without a namespace's prefix
  const size_t colon = name.find(':');
  return colon == name.npos ? name : name.substr(colon + 1);
}

Result<Node> load(Document& document, std::string body, std::string_view root) {
  document.text = std::move(body);
  // White space counts: a key may be a single space.
  const auto parsed = document.tree.load_buffer_inplace(document.text.data(), document.text.size(),
                                                        pugi::parse_default | pugi::parse_ws_pcdata_single);
  if (!parsed) return fail(Code::kInvalid, fmt::format("{}: not XML: {}", root, parsed.description()));
  const Node node = document.tree.document_element();
  if (local_name(node.name()) != root)
    return fail(Code::kInvalid,
                fmt::format("answer \"{}\": expected {}", std::string_view(node.name()).substr(0, 64), root));
  return node;
}

// The first thing that was missing or wrong in one answer; everything after it is not looked at.
struct Reader {
  std::string what;
  std::optional<Error> error{};
  bool url_encoded = false;

  void wrong(std::string_view field, std::string_view value, std::string_view expected) {
    if (error) return;
    error = fail(Code::kInvalid,
                 value.empty() ? fmt::format("{}: no {}", what, field)
                               : fmt::format("{}: {} \"{}\": expected {}", what, field, value.substr(0, 64), expected))
                .error();
  }
  std::string_view text(Node parent, const char* field) {  // there and not empty
    const std::string_view value = parent.child_value(field);
    if (value.empty()) wrong(field, value, "");
    return value;
  }
  bool flag(Node parent, const char* field) {
    const std::string_view value = text(parent, field);
    if (!value.empty() && value != "true" && value != "false") wrong(field, value, "true or false");
    return value == "true";
  }
  int64_t number(Node parent, const char* field) {
    const std::string_view value = text(parent, field);
    int64_t out = 0;
    const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (!value.empty() && (bad != std::errc() || end != value.data() + value.size() || out < 0))
      wrong(field, value, "a number");
    return out;
  }
  WallTime time(Node parent, const char* field) {
    const std::string_view value = text(parent, field);
    if (value.empty()) return {};
    const auto out = parse_rfc3339(value);
    if (!out) wrong(field, value, "RFC 3339");
    return out.value_or(WallTime());
  }
  // As encoding-type=url has it: form encoding, so that a space is a plus sign.
  std::string decoded(std::string_view value) const {
    if (!url_encoded) return std::string(value);
    if (value.find_first_of("+%") == value.npos) return std::string(value);
    std::string copy(value);
    std::replace(copy.begin(), copy.end(), '+', ' ');
    return net::percent_decode(copy);
  }
  std::string key(Node parent, const char* field) { return decoded(text(parent, field)); }
};

Reader reader(std::string_view what, Node root) {
  return {.what = std::string(what), .url_encoded = std::string_view(root.child_value("EncodingType")) == "url"};
}

Listed listed(Reader& read, Node node, bool marker) {
  Listed out;
  out.key = read.key(node, "Key");
  out.last_modified = read.time(node, "LastModified");
  if (marker) return out;
  out.etag = unquoted(node.child_value("ETag"));
  out.size_bytes = read.number(node, "Size");
  out.storage_class = node.child_value("StorageClass");
  return out;
}

// The ids of Versity S3 Gateway (ULIDs) are in the order of time, its dates of versions are to the second only.
bool is_ulid(std::string_view id) {
  return id.size() == 26 &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

bool is_newer(const Listed& a, const Listed& b) {
  if (a.latest != b.latest) return a.latest;
  if (is_ulid(a.version_id) && is_ulid(b.version_id)) return a.version_id > b.version_id;
  return a.last_modified > b.last_modified;
}

// AWS and MinIO write versions and markers as they follow each other; Versity S3 Gateway all of the one kind, then all
// of the other, each in its order. Then they are merged, and only what can't be told apart stays as it was written.
void interleave(std::vector<Listed>& all) {
  const auto border = std::find_if(all.begin(), all.end(),
                                   [&](const Listed& one) { return one.delete_marker != all.front().delete_marker; });
  if (std::any_of(border, all.end(), [&](const Listed& one) { return one.delete_marker == all.front().delete_marker; }))
    return;
  std::inplace_merge(all.begin(), border, all.end(),
                     [](const Listed& a, const Listed& b) { return a.key != b.key ? a.key < b.key : is_newer(a, b); });
}

void add_prefix(Reader& read, Node node, Page& page) { page.common_prefixes.push_back(read.key(node, "Prefix")); }

template <class T>
Result<T> finished(Reader& read, T&& out) {
  if (read.error) return std::unexpected(*read.error);
  return std::forward<T>(out);
}

}  // namespace

std::string unquoted(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

std::optional<Refusal> parse_refusal(std::string body) {
  if (body.find("Error") == std::string::npos) return std::nullopt;
  Document document;
  const auto root = load(document, std::move(body), "Error");
  Node error;
  if (root) {
    error = *root;
  } else {  // STS wraps it
    error = document.tree.document_element().child("Error");
    if (!error) return std::nullopt;
  }
  return Refusal{error.child_value("Code"), error.child_value("Message"), error.child_value("Region")};
}

Result<Page> parse_list(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "ListBucketResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("ListBucketResult", *root);
  Page page;
  for (const Node node : root->children()) {
    const std::string_view name = node.name();
    if (name == "Contents") page.objects.push_back(listed(read, node, false));
    if (name == "CommonPrefixes") add_prefix(read, node, page);
  }
  if (read.flag(*root, "IsTruncated")) page.next = read.text(*root, "NextContinuationToken");
  return finished(read, std::move(page));
}

Result<Page> parse_versions(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "ListVersionsResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("ListVersionsResult", *root);
  Page page;
  for (const Node node : root->children()) {
    const std::string_view name = node.name();
    if (name == "CommonPrefixes") add_prefix(read, node, page);
    if (name != "Version" && name != "DeleteMarker") continue;
    Listed one = listed(read, node, name == "DeleteMarker");
    one.version_id = read.text(node, "VersionId");
    one.latest = read.flag(node, "IsLatest");
    one.delete_marker = name == "DeleteMarker";
    page.objects.push_back(std::move(one));
  }
  interleave(page.objects);
  if (read.flag(*root, "IsTruncated"))
    page.next = read.key(*root, "NextKeyMarker") + "\n" + root->child_value("NextVersionIdMarker");
  return finished(read, std::move(page));
}

std::pair<std::string, std::string> split_marker(const std::string& next) {
  const size_t line = next.rfind('\n');  // keys may hold one, version ids don't
  if (line == std::string::npos) return {next, ""};
  return {next.substr(0, line), next.substr(line + 1)};
}

Result<UploadsPage> parse_uploads(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "ListMultipartUploadsResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("ListMultipartUploadsResult", *root);
  UploadsPage page;
  for (const Node node : root->children("Upload"))
    page.uploads.push_back(
        {read.key(node, "Key"), std::string(read.text(node, "UploadId")), read.time(node, "Initiated")});
  if (read.flag(*root, "IsTruncated")) {
    page.next_key = read.key(*root, "NextKeyMarker");
    page.next_upload_id = root->child_value("NextUploadIdMarker");
  }
  return finished(read, std::move(page));
}

Result<PartsPage> parse_parts(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "ListPartsResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("ListPartsResult", *root);
  PartsPage page;
  for (const Node node : root->children("Part"))
    page.parts.push_back({static_cast<int>(std::min<int64_t>(read.number(node, "PartNumber"), INT32_MAX)),
                          unquoted(read.text(node, "ETag")), read.number(node, "Size")});
  if (read.flag(*root, "IsTruncated"))
    page.next = static_cast<int>(std::min<int64_t>(read.number(*root, "NextPartNumberMarker"), INT32_MAX));
  return finished(read, std::move(page));
}

Result<std::string> parse_created_upload(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "InitiateMultipartUploadResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("InitiateMultipartUploadResult", *root);
  return finished(read, std::string(read.text(*root, "UploadId")));
}

Result<std::string> parse_etag(std::string body) {
  Document document;
  document.text = std::move(body);
  const auto parsed = document.tree.load_buffer_inplace(document.text.data(), document.text.size());
  if (!parsed) return fail(Code::kInvalid, fmt::format("answer: not XML: {}", parsed.description()));
  const Node root = document.tree.document_element();
  const std::string_view name = local_name(root.name());
  if (name != "CompleteMultipartUploadResult" && name != "CopyObjectResult" && name != "CopyPartResult")
    return fail(Code::kInvalid,
                fmt::format("answer \"{}\": expected the result of a copy or an upload", name.substr(0, 64)));
  Reader read = reader(name, root);
  return finished(read, unquoted(read.text(root, "ETag")));
}

Result<std::vector<DeleteResult>> parse_deleted(std::string body, const std::vector<std::string>& keys) {
  Document document;
  const auto root = load(document, std::move(body), "DeleteResult");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("DeleteResult", *root);
  std::map<std::string, Status> outcomes;
  for (const Node node : root->children()) {
    const std::string_view name = node.name();
    if (name == "Deleted") outcomes.emplace(read.text(node, "Key"), Status());
    if (name != "Error") continue;
    const Refusal refusal{std::string(read.text(node, "Code")), node.child_value("Message"), ""};
    const Error error = to_error(0, refusal);
    outcomes.insert_or_assign(std::string(read.text(node, "Key")),
                              error.code == Code::kNotFound ? Status() : Status(std::unexpected(error)));
  }
  if (read.error) return std::unexpected(*read.error);
  std::vector<DeleteResult> out;
  for (const std::string& key : keys) {
    const auto found = outcomes.find(key);
    out.push_back({key, found != outcomes.end() ? found->second
                                                : fail(Code::kInvalid, "DeleteResult: nothing said of this key")});
  }
  return out;
}

Result<std::map<std::string, std::string>> parse_tags(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "Tagging");
  if (!root) return std::unexpected(root.error());
  Reader read = reader("Tagging", *root);
  std::map<std::string, std::string> out;
  for (const Node node : root->child("TagSet").children("Tag"))
    out.emplace(read.text(node, "Key"), node.child_value("Value"));
  return finished(read, std::move(out));
}

Result<bool> parse_versioning(std::string body) {
  Document document;
  const auto root = load(document, std::move(body), "VersioningConfiguration");
  if (!root) return std::unexpected(root.error());
  return std::string_view(root->child_value("Status")) == "Enabled";  // absent: it never was
}

Result<std::string> parse_session(std::string body, std::string& access_key_id, std::string& secret_access_key,
                                  std::string& session_token) {
  Document document;
  const auto root = load(document, std::move(body), "AssumeRoleWithWebIdentityResponse");
  if (!root) return std::unexpected(root.error());
  const Node node = root->child("AssumeRoleWithWebIdentityResult").child("Credentials");
  Reader read = reader("AssumeRoleWithWebIdentityResult", *root);
  access_key_id = read.text(node, "AccessKeyId");
  secret_access_key = read.text(node, "SecretAccessKey");
  session_token = read.text(node, "SessionToken");
  return finished(read, std::string(read.text(node, "Expiration")));
}

}  // namespace twinspan::s3
