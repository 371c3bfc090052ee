//! A configuration of its file, of fragments and of objects of the host cluster, as each was last right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::{
    self, Composition, Config, Fragment, MemberObject, ObjectMember, Problem, RefusedFragment,
    fragment_name,
};

/// What fragments say, by the names of their members.
pub(super) type FragmentTexts = BTreeMap<String, FragmentText>;

/// What a fragment says.
#[derive(Debug, Clone)]
pub(super) struct FragmentText {
    /// What was last read.
    pub(super) now: Fragment,
    /// What was last right.
    pub(super) good: Option<Fragment>,
}

/// Where members come from beside the file.
#[derive(Debug, Clone)]
pub(super) struct MemberTexts {
    /// What fragments say; `None` where there never was a folder of them.
    pub(super) fragments: Option<FragmentTexts>,
    /// What objects of the host cluster say.
    pub(super) objects: Vec<ObjectMember>,
    /// What these said when that was last right.
    pub(super) good: BTreeMap<MemberObject, ObjectMember>,
}

/// What comes of a file, its fragments and objects.
pub(super) struct Composed {
    /// Of those that are right, or were.
    pub(super) config: Config,
    /// Fragments and objects that are wrong as they are now.
    pub(super) refused: Vec<RefusedFragment>,
    /// Where the file names members that are not there.
    pub(super) unknown: Vec<Problem>,
    /// Fragments that say what they said before, as they are wrong now.
    pub(super) stale: BTreeSet<PathBuf>,
    /// Objects that are right, or as they were when they were.
    pub(super) objects: Vec<ObjectMember>,
}

/// Composes a configuration of its file, of fragments and of objects, as each was last right.
///
/// Errors are every problem of the file, in file order, never none of them.
pub(super) fn compose(
    octets: &[u8],
    path: &Path,
    texts: &MemberTexts,
) -> Result<Composed, Vec<Problem>> {
    let compose = |fragments: Option<&[Fragment]>, objects: &[ObjectMember]| {
        config::compose(octets.to_vec(), path, fragments, objects)
    };
    let now = texts.fragments.as_ref().map(|texts| {
        let fragments = texts.values().map(|text| text.now.clone());
        fragments.collect::<Vec<_>>()
    });
    let Composition {
        mut config,
        refused,
        mut unknown,
    } = compose(now.as_deref(), &texts.objects)?;
    let wrong: BTreeSet<_> = refused.iter().map(|it| it.path.clone()).collect();
    let mut stale = BTreeSet::new();
    let as_they_were = texts.fragments.as_ref().map(|texts| {
        let fragments = texts.values().map(|text| match &text.good {
            Some(good) if wrong.contains(&text.now.path) => {
                stale.insert(text.now.path.clone());
                good.clone()
            }
            _ => text.now.clone(),
        });
        fragments.collect::<Vec<_>>()
    });
    let (mut objects, mut has_stale_objects) = (texts.objects.clone(), false);
    for object in &mut objects {
        if wrong.contains(&object.path())
            && let Some(good) = texts.good.get(&object.object)
        {
            has_stale_objects = true;
            object.clone_from(good);
        }
    }
    let mut still = wrong;
    if !stale.is_empty() || has_stale_objects {
        let again = compose(as_they_were.as_deref(), &objects)?;
        for one in &again.refused {
            stale.retain(|path| fragment_name(path) != fragment_name(&one.path));
        }
        still = again.refused.into_iter().map(|it| it.path).collect();
        (config, unknown) = (again.config, again.unknown);
    }
    objects.retain(|object| !still.contains(&object.path()));
    Ok(Composed {
        config,
        refused,
        unknown,
        stale,
        objects,
    })
}
