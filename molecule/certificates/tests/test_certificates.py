"""What a host has after role certificates."""

import pytest

testinfra_hosts = ["ansible://certificates"]

TLS = "/etc/tandem/tls"


def text_of(host, options):
    return host.check_output(f"openssl x509 -noout -in {TLS}/haproxy/certificate.pem {options}")


def test_the_certificate_is_the_authoritys_and_for_both_sides(host):
    chain = f"openssl verify -x509_strict -CAfile {TLS}/ca.pem"
    for purpose in ("sslserver", "sslclient"):
        assert host.run(f"{chain} -purpose {purpose} {TLS}/haproxy/certificate.pem").succeeded


def test_the_certificate_has_the_hosts_names(host):
    assert text_of(host, "-subject").replace(" ", "") == "subject=CN=m-certs"
    names = text_of(host, "-ext subjectAltName")
    for name in ("DNS:m-certs.tandem.test", "DNS:m-certs", "10.61.0.102", "FD61:0:0:0:0:0:0:102"):
        assert name in names


def test_key_certificate_and_bundle_belong_together(host):
    public = text_of(host, "-pubkey")
    for name in ("key.pem", "bundle.pem"):
        assert host.check_output(f"openssl pkey -pubout -in {TLS}/haproxy/{name}") == public
    assert host.check_output(f"openssl x509 -noout -pubkey -in {TLS}/haproxy/bundle.pem") == public


@pytest.mark.parametrize("name", ["key.pem", "bundle.pem"])
def test_only_root_and_the_group_read_the_key(host, name):
    file = host.file(f"{TLS}/haproxy/{name}")
    assert (file.user, file.group, file.mode) == ("root", "haproxy", 0o640)


def test_the_authoritys_key_stays_on_the_controller(host):
    assert host.check_output(f"find {TLS} -name '*.pem' | sort").split() == [
        f"{TLS}/ca.pem",
        *(
            f"{TLS}/{item}/{name}.pem"
            for item in ("edge", "haproxy")
            for name in ("bundle", "certificate", "key")
        ),
    ]
    assert "CA:TRUE" in host.check_output(f"openssl x509 -noout -ext basicConstraints -in {TLS}/ca.pem")


def test_the_owners_certificate_is_placed_as_it_is(host):
    certificate = host.check_output(f"openssl x509 -noout -pubkey -in {TLS}/edge/certificate.pem")
    assert host.check_output(f"openssl pkey -pubout -in {TLS}/edge/key.pem") == certificate
