"""Lets requests in: with the API's token, and webhooks signed as their providers do.

The token isn't in the configuration, which would put these aside.
"""

import hashlib
import hmac
import os
import time
from urllib.parse import urlsplit

import requests
import schemathesis

# The source's secret, the signature's header, and what stands before the digits.
SOURCES = {
    "propexo": ("PROPEXO_SECRET", "propexo-signature", ""),
    "linked": ("PROPEXO_SECRET", "propexo-signature", ""),
    "propify": ("PROPIFY_SECRET", "propify-signature", ""),
    "meterbase": ("METERBASE_SECRET", "x-propexo-signature", "sha256="),
    "real-estate": ("REAL_ESTATE_SECRET", "x-webhook-signature", ""),
}


class Token(requests.auth.AuthBase):
    def __call__(self, request):
        request.headers["authorization"] = "Bearer " + os.environ["API_TOKEN"]
        return request


class Signature(requests.auth.AuthBase):
    def __call__(self, request):
        source = urlsplit(request.url).path.rsplit("/", 1)[-1]
        if source not in SOURCES:
            return request
        secret, header, prefix = SOURCES[source]
        body = request.body or b""
        signed = body.encode() if isinstance(body, str) else body
        if source == "real-estate":
            now = str(int(time.time()))
            request.headers["x-webhook-timestamp"] = now
            signed = now.encode() + signed
        digits = hmac.new(os.environ[secret].encode(), signed, hashlib.sha256).hexdigest()
        request.headers[header] = prefix + digits
        return request


schemathesis.auth.set_from_requests(Signature()).apply_to(path="/webhooks/{source}")
schemathesis.auth.set_from_requests(Token()).apply_to(path_regex="^/(v1/|metrics$)")
