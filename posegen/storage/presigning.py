"""Signing an upload for a client, with its headers. obstore signs URLs too, but none that fix a header."""

from __future__ import annotations

from collections.abc import Mapping

from posegen.storage.configuration import Credentials


def presigned_put(url: str, headers: Mapping[str, str], credentials: Credentials, *, region: str, seconds: int) -> str:
    """The URL with a signature (AWS version 4) that holds for a PUT with exactly these headers, for so long."""
    # Loaded only for direct uploads: this takes longer than everything else in the store.
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as AwsCredentials

    request = AWSRequest(method="PUT", url=url, headers=dict(headers))
    signer = AwsCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    S3SigV4QueryAuth(signer, "s3", region, expires=seconds).add_auth(request)
    return str(request.url)
