// An identity provider that is not ours: `oidc-provider` with people in groups. Its folder, a port, and what it is told.
import { pathToFileURL } from "node:url";

const [, , folder, port, told] = process.argv;
const { clients, people, inIdToken } = JSON.parse(told);
const { default: Provider } = await import(pathToFileURL(`${folder}/lib/index.js`));
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients,
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  scopes: ["openid", "profile", "email", "groups"],
  conformIdTokenClaims: !inIdToken,
  cookies: { keys: ["cookies of a test"] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, audience) => ({
        audience,
        scope: "aural:read aural:write",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  extraTokenClaims: (_, token) => ({ groups: people[token.accountId]?.groups, groups_of: "a test" }),
  findAccount: (_, login) =>
    people[login] && { accountId: login, claims: () => ({ sub: login, ...people[login] }) },
});
provider.Client.prototype.redirectUriAllowed = (uri) => new URL(uri).pathname === "/sign-in/callback"; // on any port
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
