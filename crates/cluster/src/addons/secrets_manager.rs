//! A client of LocalStack's Secrets Manager, for seeding and for tests.

use std::time::{SystemTime, UNIX_EPOCH};

use ::http::Method;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::build::go::hex;
use crate::process::http;

/// The region of all secrets. LocalStack has one store per region; the platform's local SecretStore reads this one.
const REGION: &str = "us-east-1";

/// A client of Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    endpoint: String,
}

impl SecretsManager {
    /// A client for `http://host:port`, which [`crate::Cluster::endpoint`] returns for `localstack`.
    #[must_use]
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
        }
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls an action, such as `DescribeSecret`, with its parameters.
    ///
    /// # Errors
    /// When it is unreachable, or responds with an error, which contains type and message.
    pub async fn call(&self, action: &str, parameters: &Value) -> Result<Value> {
        let (code, answer) = self.send(action, parameters).await?;
        if code != 200 {
            bail!("{action}: {code} {answer}");
        }
        Ok(answer)
    }

    /// Creates or updates a secret. Stores values other than strings as JSON.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn put(&self, name: &str, value: &Value) -> Result<()> {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let token = token(name, &text)?;
        let parameters = json!({ "Name": name, "SecretString": text, "ClientRequestToken": token });
        let (code, answer) = self.send("CreateSecret", &parameters).await?;
        if code == 200 {
            return Ok(());
        }
        if !error_type(&answer).contains("ResourceExists") {
            bail!("CreateSecret {name}: {code} {answer}");
        }
        let parameters = json!({ "SecretId": name, "SecretString": text, "ClientRequestToken": token });
        self.call("PutSecretValue", &parameters).await.map(|_| ())
    }

    /// The secret's current value. `None` if the secret does not exist.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn get(&self, name: &str) -> Result<Option<String>> {
        let (code, answer) = self.send("GetSecretValue", &json!({ "SecretId": name })).await?;
        match code {
            200 => Ok(answer["SecretString"].as_str().map(str::to_owned)),
            _ if error_type(&answer).contains("ResourceNotFound") => Ok(None),
            _ => bail!("GetSecretValue {name}: {code} {answer}"),
        }
    }

    /// Deletes a secret without a recovery period. Does nothing if it does not exist.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn delete(&self, name: &str) -> Result<()> {
        let parameters = json!({ "SecretId": name, "ForceDeleteWithoutRecovery": true });
        self.call("DeleteSecret", &parameters).await.map(|_| ())
    }

    /// The names of all secrets, sorted.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn list(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut page = Value::Null;
        loop {
            let parameters = match &page {
                Value::Null => json!({ "MaxResults": 100 }),
                token => json!({ "MaxResults": 100, "NextToken": token }),
            };
            let answer = self.call("ListSecrets", &parameters).await?;
            let listed = answer["SecretList"].as_array().into_iter().flatten();
            names.extend(listed.filter_map(|secret| secret["Name"].as_str().map(str::to_owned)));
            page = answer["NextToken"].clone();
            if page.is_null() {
                names.sort();
                return Ok(names);
            }
        }
    }

    async fn send(&self, action: &str, parameters: &Value) -> Result<(u16, Value)> {
        let target = format!("secretsmanager.{action}");
        // LocalStack does not check the signature, but reads service and region from it.
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/secretsmanager/aws4_request, SignedHeaders=host, \
             Signature=none"
        );
        let headers = [
            ("X-Amz-Target", target.as_str()),
            ("Content-Type", "application/x-amz-json-1.1"),
            ("Authorization", signed.as_str()),
        ];
        let (code, body) =
            http::send(Method::POST, &self.endpoint, &headers, &parameters.to_string()).await?;
        let answer = serde_json::from_str(&body).with_context(|| format!("{action}: {code} {body}"))?;
        Ok((code, answer))
    }
}

fn error_type(answer: &Value) -> &str {
    answer["__type"].as_str().unwrap_or_default()
}

/// A version's ID in the form of a UUID. Always a new one: a known ID would not become the current version.
fn token(name: &str, value: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let digits = hex(&Sha256::digest(format!("{name}\n{value}\n{now}")));
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..32]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_unique_uuids() {
        let token = token("a", "b").unwrap();
        assert_eq!(token.len(), 36);
        assert_ne!(token, super::token("a", "b").unwrap());
    }
}
