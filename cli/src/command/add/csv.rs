//! The two forms in which AWS's console has handed out access keys. Pure; lends parts of its input out
//! and copies nothing, because the secret is in it.
//!
//! - a table (RFC 4180): `Access key ID,Secret access key`, other columns allowed
//! - lines: `AWSAccessKeyId=…`, `AWSSecretKey=…`

/// Access key id and secret, or what is wrong with the file.
pub(super) fn read(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let first = lines.next().ok_or("the file is empty")?;
    if assignment(first).is_some() {
        return assignments(std::iter::once(first).chain(lines));
    }
    let head = cells(first);
    let column = |name: &str| head.iter().position(|cell| cell.eq_ignore_ascii_case(name.as_bytes()));
    let id = column("Access key ID").ok_or("there is no column Access key ID")?;
    let secret = column("Secret access key").ok_or("there is no column Secret access key")?;
    let row = cells(lines.next().ok_or("there is no row behind the head")?);
    if lines.next().is_some() {
        return Err("there is more than one key in the file");
    }
    match (row.get(id), row.get(secret)) {
        (Some(id), Some(secret)) => Ok((id, secret)),
        (None, _) | (_, None) => Err("the row has fewer cells than the head"),
    }
}

fn assignments<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<(&'a [u8], &'a [u8]), &'static str> {
    let (mut id, mut secret) = (None, None);
    for line in lines {
        let (name, value) = assignment(line).ok_or("a line is not NAME=VALUE")?;
        let place = if name.eq_ignore_ascii_case(b"AWSAccessKeyId") {
            &mut id
        } else if name.eq_ignore_ascii_case(b"AWSSecretKey") {
            &mut secret
        } else {
            continue;
        };
        if place.replace(value).is_some() {
            return Err("there is more than one key in the file");
        }
    }
    Ok((id.ok_or("there is no line AWSAccessKeyId=")?, secret.ok_or("there is no line AWSSecretKey=")?))
}

/// Name and value of a line of the old form. A head of a table has commas before any equals sign.
fn assignment(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (line.get(..at)?.trim_ascii(), line.get(at + 1..)?.trim_ascii());
    name.iter().all(u8::is_ascii_alphanumeric).then_some((name, value))
}

/// The cells of a row, without the quotes around them. A doubled quote stays doubled: neither an id
/// nor a secret has one.
fn cells(row: &[u8]) -> Vec<&[u8]> {
    let mut cells = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in row.iter().chain(b",").enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted || at == row.len() => {
                let cell = row.get(start..at).unwrap_or_default().trim_ascii();
                let bare = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\""));
                cells.push(bare.unwrap_or(cell));
                start = at + 1;
            }
            _ => {}
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: &[u8] = b"AKIAIOSFODNN7EXAMPLE";
    const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn file(text: &str) -> Vec<u8> {
        let id = String::from_utf8_lossy(ID);
        let secret = String::from_utf8_lossy(SECRET);
        text.replace("ID!", &id).replace("SECRET!", &secret).into_bytes()
    }

    #[test]
    fn every_form_of_the_console_is_read() {
        for text in [
            "Access key ID,Secret access key\nID!,SECRET!\n",
            "\u{feff}Access key ID,Secret access key\r\nID!,SECRET!\r\n",
            "\"Access key ID\",\"Secret access key\"\n\"ID!\",\"SECRET!\"",
            "access KEY id , SECRET access key\n ID! , SECRET! \n\n",
            "User name,Password,Access key ID,Secret access key,Console login link\n\"a,b\",,ID!,SECRET!,https://x/?a=b\n",
            "Secret access key,Access key ID\nSECRET!,ID!\n",
            "AWSAccessKeyId=ID!\nAWSSecretKey=SECRET!\n",
            "AWSAccessKeyId=ID!\r\nAWSSecretKey=SECRET!",
            "\u{feff}awssecretkey = SECRET!\nAWSACCESSKEYID = ID!\nComment=x\n",
        ] {
            let bytes = file(text);
            assert_eq!(read(&bytes), Ok((ID, SECRET)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "\u{feff}",
            "\n\n",
            "ID!,SECRET!\n",
            "Access key ID\nID!\n",
            "Access key ID,Secret access key\n",
            "Access key ID,Secret access key\nID!\n",
            "Access key ID,Secret access key\nID!,SECRET!\nID!,SECRET!\n",
            "AWSAccessKeyId=ID!\n",
            "AWSSecretKey=SECRET!\n",
            "AWSAccessKeyId=ID!\nAWSAccessKeyId=ID!\nAWSSecretKey=SECRET!\n",
            "AWSAccessKeyId=ID!\nSECRET!\n",
        ] {
            assert!(read(&file(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn odd_bytes_do_no_harm() {
        for bytes in [
            &b"\xff\xfe"[..],
            b"\"",
            b"\",\n\"",
            b",,,\n,,,",
            b"=",
            b"a=\nb",
            b"Access key ID,Secret access key\n\"\n",
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
