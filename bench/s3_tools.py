"""The tools that are compared: each with the settings its own documentation recommends for speed, tuned on this machine."""
import os
import subprocess

AT_ONCE = 16


class Twinspan:
    name = "twinspan"
    settings = ["--objects-at-once", str(AT_ONCE)]
    why = "equal by size and ETag; every body proven by Content-MD5 or by the ETags of its parts; metadata, headers and tags carried"

    def __init__(self, options):
        self.program = os.path.join(options.bin, "twinspan-s3-sync")

    def version(self):
        return "this commit"

    def command(self, servers, source, target):
        return [self.program, "--source", servers.urls["source"], "--source-bucket", source, "--target", servers.urls["target"],
                "--target-bucket", target, "--ca", servers.ca, *self.settings]


class Rclone:
    name = "rclone"
    settings = ["--checksum", "--fast-list", "--transfers", str(AT_ONCE), "--checkers", str(AT_ONCE), "--s3-no-check-bucket",
                "--s3-upload-concurrency", "4", "--s3-chunk-size", "16M",
                "--s3-use-unsigned-payload", "true", "--no-update-modtime", "--stats", "0"]
    why = ("--checksum compares size and MD5 as the listing has them, without a HEAD per object; with small objects "
           "--s3-no-head-object and --s3-no-head, which spare those before and after each transfer, and with them the proof that the "
           "object arrived; not with large ones, whose uploads fail with them")

    def __init__(self, options):
        self.program = os.path.join(options.tools, "rclone")

    def version(self):
        text = subprocess.run([self.program, "version"], capture_output=True, text=True, check=True).stdout
        return text.splitlines()[0]

    def command(self, servers, source, target):
        # With it uploads in parts end with "corrupted on transfer", as this gateway tells no size of them by itself.
        no_head = [] if source == "large" else ["--s3-no-head-object", "--s3-no-head"]
        return [self.program, "sync", "--ca-cert", servers.ca, *self.settings, *no_head, f"source:{source}", f"target:{target}"]


class Mc:
    name = "mc"
    settings = ["--overwrite"]
    why = "mc chooses how many objects it copies at once by itself; there is no option"

    def __init__(self, options):
        self.program = os.path.join(options.tools, "mc")

    def version(self):
        text = subprocess.run(["go", "version", "-m", self.program], capture_output=True, text=True, check=False).stdout
        for line in text.splitlines():
            words = line.split()
            if words[:2] == ["mod", "github.com/minio/mc"]:
                return "mc " + words[2]
        return "mc, version unknown"

    def command(self, servers, source, target):
        return [self.program, "--quiet", "mirror", *self.settings, f"source/{source}", f"target/{target}"]


TOOLS = [Twinspan, Rclone, Mc]
