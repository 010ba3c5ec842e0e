"""A small S3 client of its own, so that what the worker did is looked at by other code than the worker's."""
import hashlib
import hmac
import http.client
import ssl
import time
import urllib.parse
import xml.etree.ElementTree


def quoted(text):
    return urllib.parse.quote(text, safe="-._~")


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:300]!r}")
        self.status, self.body = status, body


class S3:
    """One server under one identity; a connection for every request, so that any thread may use it."""

    def __init__(self, endpoint, access_key, secret_key, ca=None, region="us-east-1"):
        url = urllib.parse.urlsplit(endpoint)
        self.endpoint, self.host, self.port, self.tls = endpoint, url.hostname, url.port, url.scheme == "https"
        self.access_key, self.secret_key, self.region = access_key, secret_key, region
        self.context = ssl.create_default_context(cafile=ca) if self.tls else None

    def request(self, method, bucket, key=None, query=None, body=b"", headers=None, expect=(200, 204)):
        path = "/" + quoted(bucket) + ("" if key is None else "/" + urllib.parse.quote(key, safe="/-._~"))
        pairs = "&".join(f"{quoted(k)}={quoted(v)}" for k, v in sorted((query or {}).items()))
        now = time.gmtime()
        stamp, day = time.strftime("%Y%m%dT%H%M%SZ", now), time.strftime("%Y%m%d", now)
        digest = hashlib.sha256(body).hexdigest()
        sent = {"host": f"{self.host}:{self.port}", "x-amz-date": stamp, "x-amz-content-sha256": digest,
                **{name.lower(): value for name, value in (headers or {}).items()}}
        names = ";".join(sorted(sent))
        canonical = "\n".join([method, path, pairs, *(f"{n}:{sent[n].strip()}" for n in sorted(sent)), "", names, digest])
        scope = f"{day}/{self.region}/s3/aws4_request"
        secret = ("AWS4" + self.secret_key).encode()
        for word in (day, self.region, "s3", "aws4_request"):
            secret = hmac.new(secret, word.encode(), hashlib.sha256).digest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
        sent["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        make = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        connection = make(self.host, self.port, timeout=60, **({"context": self.context} if self.tls else {}))
        try:
            connection.request(method, path + ("?" + pairs if pairs else ""), body, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status not in expect:
            raise Refused(answer.status, content)
        return answer, content

    def make_bucket(self, bucket):
        self.request("PUT", bucket)

    def put(self, bucket, key, body, headers=None):
        return self.request("PUT", bucket, key, None, body, headers)[0].headers["ETag"]

    def get(self, bucket, key):
        return self.request("GET", bucket, key)[1]

    def head(self, bucket, key):
        """Its headers, or None."""
        answer, _ = self.request("HEAD", bucket, key, expect=(200, 404))
        return answer.headers if answer.status == 200 else None

    def delete(self, bucket, key):
        self.request("DELETE", bucket, key)

    def tags(self, bucket, key):
        _, body = self.request("GET", bucket, key, {"tagging": ""}, expect=(200, 404))
        tree = _without_namespaces(body) if body else []
        return {tag.findtext("Key"): tag.findtext("Value") for tag in (tree.iter("Tag") if body else [])}

    def put_parts(self, bucket, key, parts, headers=None):
        _, body = self.request("POST", bucket, key, {"uploads": ""}, b"", headers)
        upload = _without_namespaces(body).findtext("UploadId")
        etags = [self.request("PUT", bucket, key, {"partNumber": str(number), "uploadId": upload}, part)[0].headers["ETag"]
                 for number, part in enumerate(parts, 1)]
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1))
        self.request("POST", bucket, key, {"uploadId": upload},
                     f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())

    def list(self, bucket):
        """Key → (ETag, size), without what Twinspan keeps there for itself."""
        found, token = {}, None
        while True:
            query = {"list-type": "2", "encoding-type": "url", **({"continuation-token": token} if token else {})}
            tree = _without_namespaces(self.request("GET", bucket, None, query)[1])
            for one in tree.iter("Contents"):
                key = one.findtext("Key")
                if tree.findtext("EncodingType") == "url":
                    key = urllib.parse.unquote_plus(key)
                found[key] = (one.findtext("ETag").strip('"'), int(one.findtext("Size")))
            if tree.findtext("IsTruncated") != "true":
                return {key: value for key, value in found.items() if not key.startswith(".twinspan/")}
            token = tree.findtext("NextContinuationToken")

    def keep_versions(self, bucket, status="Enabled"):
        self.request("PUT", bucket, None, {"versioning": ""}, '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                     f"<Status>{status}</Status></VersioningConfiguration>".encode())

    def history(self, bucket, key):
        """Its versions, oldest first: (version id, ETag, size), the latter two None for a delete marker."""
        tree = _without_namespaces(self.request("GET", bucket, None, {"versions": "", "prefix": key})[1])
        assert tree.findtext("IsTruncated") != "true", "more than a page"
        found = [one for one in tree if one.tag in ("Version", "DeleteMarker") and one.findtext("Key") == key]
        if all(len(one.findtext("VersionId")) == 26 for one in found):  # Versity: ids in the order of time, kinds apart
            found.sort(key=lambda one: one.findtext("VersionId"), reverse=True)
        return [(one.findtext("VersionId"), one.findtext("ETag").strip('"'), int(one.findtext("Size"))) if one.tag == "Version" else
                (one.findtext("VersionId"), None, None) for one in reversed(found)]

    def state(self, bucket):
        """Keys that Twinspan keeps there for itself."""
        tree = _without_namespaces(self.request("GET", bucket, None, {"list-type": "2", "prefix": ".twinspan/"})[1])
        return [one.findtext("Key") for one in tree.iter("Contents")]


def _without_namespaces(body):
    tree = xml.etree.ElementTree.fromstring(body)
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    return tree
