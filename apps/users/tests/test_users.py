def test_flow(client):
    answer = client.post("/users/register", json={"email": "A@B.org", "password": "x" * 8, "name": "Ann"})
    assert answer.status_code == 201, answer.text
    assert (
        client.post(
            "/users/register", json={"email": "a@b.ORG", "password": "x" * 8, "name": "Ann"}
        ).status_code
        == 409
    )
    answer = client.post("/users/login", json={"email": "a@b.org", "password": "x" * 8})
    assert answer.status_code == 200, answer.text
    me = client.get("/users/me", headers={"Authorization": "Bearer " + answer.json["access_token"]})
    assert me.status_code == 200 and me.json["email"] == "a@b.org"
