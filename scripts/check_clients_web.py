"""Serves a folder, opens its page in headless Chromium and prints what the page reports as JSON.

check_clients_web.py <folder> <query> [<seconds>]
"""

import http.server
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

folder, query = sys.argv[1:3]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 120
reported, result = threading.Event(), []


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm"}

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=folder)

    def do_POST(self):
        result.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()
        reported.set()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/index.html?report=/result&{query}"
program = shutil.which("chromium") or sys.exit("no chromium")
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    log = pathlib.Path(profile, "log")
    with log.open("wb") as errors:
        browser = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--enable-logging=stderr", f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL, stderr=errors)
        done = reported.wait(seconds)
        browser.terminate()
        browser.wait()
    if not done:
        sys.exit(f"no answer after {seconds:.0f} s\n" + log.read_text(errors="replace")[-4000:])
print(result[0])
