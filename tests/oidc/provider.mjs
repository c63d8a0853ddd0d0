// An identity provider for tests: whoever gives a name is that person; "chief" is of the it group, others are not.
//   node provider.mjs PORT REDIRECT_URI
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "xray",
      client_secret: "the secret of the test",
      token_endpoint_auth_method: "client_secret_post",
      redirect_uris: [redirect],
    },
  ],
  claims: { openid: ["sub", "groups"], profile: ["preferred_username"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["a key of the test"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: id === "chief" ? ["it", "all"] : ["all"] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
