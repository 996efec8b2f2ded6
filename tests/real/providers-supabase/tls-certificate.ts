/**
 * A self-signed certificate for localhost and 127.0.0.1, valid until 2126, and its key: for servers of tests only, there is
 * no tool on every machine that makes one.
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUSw86pgv5l/tFD2LgN9oELy1jbdowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwNTEyNVoYDzIxMjYxMDI4
MTA1MTI1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARq1E6hx1QpHNl99k9e3RnbgGyHmfQ7b0K90Cu4J5KD2AHkB+bPKqPu
2La+0ybWXvuTpMq7bX2i5qvb25Unw3edo28wbTAdBgNVHQ4EFgQUFlkyTCSUrptz
E0u9jY9CXR4mf64wHwYDVR0jBBgwFoAUFlkyTCSUrptzE0u9jY9CXR4mf64wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgVWlCmgOpyAsLqqlEzB9TgET/p+MqkEESDnXp2leDMSoCIQDs
8UchZllO0/tb3xwuwmGhA2K2VQIuUJCtlyu91PDILw==
-----END CERTIFICATE-----
`;

export const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSB3OM480CfKUNRp0
iwNIE/QEJdBFOKTlBLqDlV7dUOShRANCAARq1E6hx1QpHNl99k9e3RnbgGyHmfQ7
b0K90Cu4J5KD2AHkB+bPKqPu2La+0ybWXvuTpMq7bX2i5qvb25Unw3ed
-----END PRIVATE KEY-----
`;
